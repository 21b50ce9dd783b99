package main

import (
	"fmt"

	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/model/tokenizer"
	"github.com/ladon-ml/ladon/pipeline"
)

// textWriter prints a generated text: as it comes, or with -json as one object at
// its end.
type textWriter struct {
	c         *call
	tokenizer *tokenizer.Tokenizer
	logProbs  bool

	prompt, tokens int
	finish         generate.Finish

	text []byte
	ids  []int32
	list []byte // of log-probabilities, as JSON
}

func (w *textWriter) token(t pipeline.Token) (err error) {
	w.finish = t.Finish
	if !w.c.json {
		if t.Text == "" {
			return nil
		}
		if _, err := w.c.stdout.WriteString(t.Text); err != nil {
			return err
		}
		return w.c.stdout.Flush()
	}
	w.text, w.ids = append(w.text, t.Text...), append(w.ids, t.ID)
	if !w.logProbs {
		return nil
	}
	if len(w.list) > 0 {
		w.list = append(w.list, ',')
	}
	if w.list, err = w.appendLogProb(w.list, t.ID, t.LogProb); err != nil {
		return err
	}
	w.list = append(w.list, `,"top":[`...)
	for i, top := range t.Top {
		if i > 0 {
			w.list = append(w.list, ',')
		}
		if w.list, err = w.appendLogProb(w.list, top.ID, top.LogProb); err != nil {
			return err
		}
		w.list = append(w.list, '}')
	}
	w.list = append(w.list, "]}"...)
	return nil
}

// appendLogProb appends an object without its end.
func (w *textWriter) appendLogProb(dst []byte, id int32, x float32) ([]byte, error) {
	token, _ := w.tokenizer.IDToToken(id)
	dst = appendString(fmt.Appendf(dst, `{"id":%d,"token":`, id), token)
	return appendFloat(append(dst, `,"logprob":`...), x)
}

func (w *textWriter) end() error {
	if !w.c.json {
		return w.c.stdout.Flush()
	}
	out := appendString([]byte(`{"text":`), string(w.text))
	out = appendInts(append(out, `,"ids":`...), w.ids)
	out = appendString(append(out, `,"finish":`...), string(w.finish))
	out = fmt.Appendf(out, `,"prompt_tokens":%d,"new_tokens":%d`, w.prompt, w.tokens)
	if w.logProbs {
		out = append(append(append(out, `,"logprobs":[`...), w.list...), ']')
	}
	_, err := w.c.stdout.Write(append(out, '}', '\n'))
	return err
}
