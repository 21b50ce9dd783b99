package model

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/model/tokenizer"
	"github.com/ladon-ml/ladon/model/weights"
)

// addVocabulary writes the tokenizer of a folder in GGUF's words. One that these
// cannot say is left out, and the report says why: a file that cuts texts in
// another way would be worse than one that does not.
func (w *ggufWriter) addVocabulary(p place, config []byte) error {
	t, err := tokenizer.LoadFS(p.fsys, p.name)
	if errors.Is(err, fs.ErrNotExist) {
		w.report.Lost = []string{p.shown + " has none"}
		return nil
	}
	var v *tokenizer.Vocabulary
	var lost []string
	if err == nil {
		v, lost, err = t.Vocabulary()
	}
	if err == nil {
		err = v.Resize(w.spec.Embeddings.Vocab)
	}
	if err != nil {
		w.report.Lost = []string{err.Error()}
		return nil
	}
	w.report.Lost = append(w.report.Lost, lost...)
	w.report.Vocabulary = true
	addRoles(v.Roles, config, len(v.Tokens))
	w.addTokens(v)
	if text := chatTemplate(p); text != "" {
		w.say("tokenizer.chat_template", weights.ValueOf(text))
	}
	return nil
}

// addTokens writes what a Vocabulary says; Tokenizer reads it.
func (w *ggufWriter) addTokens(v *tokenizer.Vocabulary) {
	const ours = "tokenizer.ggml."
	w.say(ours+"model", weights.ValueOf(v.Model))
	w.say(ours+"pre", weights.ValueOf(v.Pre))
	w.say(ours+"tokens", weights.ValuesOf(v.Tokens))
	if v.Scores != nil {
		w.say(ours+"scores", weights.ValuesOf(v.Scores))
	}
	w.say(ours+"token_type", weights.ValuesOf(v.Types))
	if v.Merges != nil {
		w.say(ours+"merges", weights.ValuesOf(v.Merges))
	}
	done := map[string]bool{}
	for _, role := range ggufRoles {
		if id, ok := v.Roles[role[1]]; ok && !done[role[1]] {
			done[role[1]] = true
			w.say(ours+role[0], weights.ValueOf(uint32(id)))
		}
	}
	for _, flag := range []struct {
		key   string
		value *bool
	}{{"add_bos_token", v.AddBOS}, {"add_eos_token", v.AddEOS}, {"add_space_prefix", v.AddSpacePrefix}} {
		if flag.value != nil {
			w.say(ours+flag.key, weights.ValueOf(*flag.value))
		}
	}
}

// addRoles adds the roles that only config.json knows. Its eos may be a list; one
// that is not the tokenizer's ends a turn of a conversation.
func addRoles(roles map[string]int32, config []byte, vocab int) {
	var c struct {
		BOS json.RawMessage `json:"bos_token_id"`
		EOS json.RawMessage `json:"eos_token_id"`
		Pad json.RawMessage `json:"pad_token_id"`
	}
	if json.Unmarshal(config, &c) != nil {
		return
	}
	ids := func(data json.RawMessage) []int32 {
		var one int32
		var list []int32
		if json.Unmarshal(data, &one) == nil {
			list = []int32{one}
		} else if json.Unmarshal(data, &list) != nil {
			return nil
		}
		return slices.DeleteFunc(list, func(id int32) bool { return id < 0 || int(id) >= vocab })
	}
	for _, r := range []struct {
		role string
		data json.RawMessage
	}{{"bos_token", c.BOS}, {"eos_token", c.EOS}, {"pad_token", c.Pad}} {
		if len(r.data) == 0 || string(r.data) == "null" {
			continue
		}
		for _, id := range ids(r.data) {
			known, ok := roles[r.role]
			switch _, turn := roles["eot_token"]; {
			case !ok:
				roles[r.role] = id
			case r.role == "eos_token" && id != known && !turn:
				roles["eot_token"] = id
			}
		}
	}
}

// chatTemplate is how a folder writes conversations, "" if it does not say.
func chatTemplate(p place) string {
	if data, err := readFile(p.fsys, path.Join(p.name, "chat_template.jinja"), maxConfig); err == nil {
		return string(data)
	}
	data, err := readFile(p.fsys, path.Join(p.name, "tokenizer_config.json"), maxConfig)
	if err != nil {
		return ""
	}
	var c struct {
		Template any `json:"chat_template"`
	}
	if json.Unmarshal(data, &c) != nil {
		return ""
	}
	text, _ := c.Template.(string)
	return strings.ToValidUTF8(text, "\uFFFD")
}
