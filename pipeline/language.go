package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// A direction is how a model is told the languages of a translation: by tokens in
// the source, or by the first token of the target. -1 stands for none.
type direction struct {
	task   string // of config.json's task_specific_params, whose prefix says it
	code   int32  // before the source: Marian's >>fra<<, MADLAD's <2fr>
	source int32  // in place of the language that the tokenizer puts beside a source: mBART's en_XX
	target int32  // the first token that is written: mBART's fr_XX
}

var noDirection = direction{task: "translation", code: -1, source: -1, target: -1}

// direction finds out how the model is told to translate from one language into
// another, "" where the caller does not say.
func (r *rewriter) direction(source, target string) (direction, error) {
	d := noDirection
	if source == "" && target == "" {
		return d, nil
	}
	if pairs := r.pairs(); len(pairs) > 0 {
		for _, p := range pairs {
			if (source == "" || source == p[0]) && (target == "" || target == p[1]) {
				if d.task != noDirection.task {
					return d, fmt.Errorf("pipeline: %s: both the source and the target language have to be said: it translates %s", r.m.name, pairList(pairs))
				}
				d.task = translationTask(p)
			}
		}
		if d.task == noDirection.task {
			return d, fmt.Errorf("pipeline: %s does not translate from %s to %s: it translates %s", r.m.name, orAny(source), orAny(target), pairList(pairs))
		}
		return d, nil
	}
	var ok bool
	if source != "" {
		if d.source, ok = r.languageToken(source, "%s", "__%s__"); !ok {
			return d, r.noLanguage("source", source)
		}
	}
	if target != "" {
		if d.code, ok = r.languageToken(target, ">>%s<<", "<2%s>"); ok {
			return d, nil
		}
		if d.target, ok = r.languageToken(target, "%s", "__%s__"); !ok {
			return d, r.noLanguage("target", target)
		}
	}
	return d, nil
}

func orAny(language string) string {
	if language == "" {
		return "any language"
	}
	return language
}

// pairs are the languages, from and to, of tasks called translation_en_to_de.
func (r *rewriter) pairs() (list [][2]string) {
	for name := range r.tasks {
		rest, ok := strings.CutPrefix(name, "translation_")
		if from, to, both := strings.Cut(rest, "_to_"); ok && both {
			list = append(list, [2]string{from, to})
		}
	}
	slices.SortFunc(list, func(x, y [2]string) int { return slices.Compare(x[:], y[:]) })
	return list
}

func translationTask(pair [2]string) string { return "translation_" + pair[0] + "_to_" + pair[1] }

func pairList(pairs [][2]string) string {
	names := make([]string, len(pairs))
	for i, p := range pairs {
		names[i] = p[0] + " to " + p[1]
	}
	return strings.Join(names, ", ")
}

// languageToken finds the token of a language, in one of some spellings.
func (r *rewriter) languageToken(language string, forms ...string) (int32, bool) {
	for _, form := range forms {
		id, ok := r.m.tokenizer.TokenToID(fmt.Sprintf(form, language))
		if ok && (form != "%s" || r.isLanguage(id)) {
			return id, true
		}
	}
	return -1, false
}

// isLanguage tells the tokens of languages: en_XX, eng_Latn, __en__.
func (r *rewriter) isLanguage(id int32) bool {
	token, ok := r.m.tokenizer.IDToToken(id)
	if !ok {
		return false
	}
	if name, ok := strings.CutPrefix(token, "__"); ok {
		name, ok = strings.CutSuffix(name, "__")
		return ok && letters(name, 2, 3, 'a')
	}
	language, script, ok := strings.Cut(token, "_")
	if !ok || !letters(language, 2, 3, 'a') {
		return false
	}
	return letters(script, 2, 2, 'A') || len(script) == 4 && letters(script[:1], 1, 1, 'A') && letters(script[1:], 3, 3, 'a')
}

// letters tells whether a text is of so many letters from first on.
func letters(s string, least, most int, first byte) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < first || s[i] > first+25 {
			return false
		}
	}
	return true
}

// noLanguage is the error about a language that the model cannot be told, with
// those that it can.
func (r *rewriter) noLanguage(which, language string) error {
	const most = 12
	var some []string
	for id := range int32(r.vocab) {
		token, _ := r.m.tokenizer.IDToToken(id)
		if code := strings.HasPrefix(token, ">>") && strings.HasSuffix(token, "<<"); code || r.isLanguage(id) {
			some = append(some, strings.Trim(token, "><"))
		}
		if len(some) > most {
			some[most] = "…"
			break
		}
	}
	if len(some) == 0 {
		return fmt.Errorf("pipeline: %s: the model cannot be told a %s language, such as %s: it was trained for what it does", r.m.name, which, language)
	}
	return fmt.Errorf("pipeline: %s: no %s language %q; there are %s", r.m.name, which, language, strings.Join(some, ", "))
}

// languageCode takes a token such as >>fra<<, with which Marian's texts say what to
// translate them into, off the beginning of a text; -1 where there is none.
func (r *rewriter) languageCode(text string) (id int32, rest string) {
	if end := strings.Index(text, "<<"); strings.HasPrefix(text, ">>") && end > 0 {
		if id, ok := r.m.tokenizer.TokenToID(text[:end+2]); ok {
			return id, strings.TrimLeft(text[end+2:], " ")
		}
	}
	return -1, text
}
