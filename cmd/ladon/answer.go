package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/pipeline"
)

var answerCommand = command{
	name:    "answer",
	args:    "-question TEXT [FILE] (or -context TEXT, or a document on standard input)",
	summary: "find the part of a document that answers a question",
	help: `
Prints one line of JSON: {"answer":…,"score":…,"start":…,"end":…}, where start and
end are bytes of the document. With -top there is a line for each of the best
answers, with several -question their lines in order, each with "question". A
document longer than the model takes is read in windows that overlap. The rules
are those of transformers' question-answering pipeline.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		a := &answerFlags{src: needModelFlag(fs)}
		fs.Func("question", "answer `TEXT`; may be given several times", func(s string) error {
			switch {
			case s == "":
				return errors.New("an empty question")
			case !utf8.ValidString(s):
				return fmt.Errorf("byte %d is not UTF-8", invalidUTF8([]byte(s)))
			}
			a.questions = append(a.questions, s)
			return nil
		})
		fs.Func("context", "look for the answer in `TEXT`", func(s string) error {
			a.context, a.hasContext = s, true
			return nil
		})
		cfg := &a.cfg
		cfg.Top = 1
		fs.Var(countValue{&cfg.Top, 1}, "top", "give the best `N` answers")
		cfg.MaxAnswer = 15
		fs.Var(countValue{&cfg.MaxAnswer, 1}, "max-answer", "let an answer have at most `N` tokens")
		fs.Var(countValue{&cfg.MaxSeq, 1}, "max-seq", "read `N` tokens at once (default 384, or what the model takes)")
		stride := countFlag(fs, "stride", 128, 0, "let windows share `N` tokens; half a window at most, unless given")
		fs.BoolVar(&cfg.Impossible, "impossible", false, "let the question have no answer, which is then the empty one")
		fs.BoolVar(&cfg.InsideWords, "inside-words", false, "let answers begin and end inside words")
		readable := readableFlag(fs)
		return func(c *call) (err error) {
			if given(fs, "stride") {
				if cfg.Stride = *stride; cfg.Stride == 0 {
					cfg.Stride = -1
				}
			}
			if a.people, err = c.readable(*readable); err != nil {
				return err
			}
			return a.run(c)
		}
	},
}

type answerFlags struct {
	src        *modelSource
	questions  []string
	context    string
	hasContext bool
	cfg        pipeline.AnswerConfig
	people     bool // read what is printed
}

func (a *answerFlags) run(c *call) error {
	if err := a.src.need("answer"); err != nil {
		return err
	}
	if len(a.questions) == 0 {
		return errors.New("answer: -question is needed")
	}
	document, err := a.document(c)
	if err != nil {
		return err
	}
	m, err := a.src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	answerer, err := m.Answerer()
	if err != nil {
		return err
	}
	bar := newProgress(c.stderr, -1, "windows")
	a.cfg.Progress = func(_, windows int) { bar.set(windows) }
	found, err := answerer.Answer(c.ctx, a.cfg, document, a.questions...)
	bar.finish()
	if err != nil {
		return err
	}
	return a.write(c, found)
}

// document is what the answer is looked for in, and checked.
func (a *answerFlags) document(c *call) (string, error) {
	where, text := "-context", a.context
	switch {
	case len(c.args) > 1:
		return "", fmt.Errorf("answer: unexpected argument %q: one document is read", c.args[1])
	case a.hasContext && len(c.args) > 0:
		return "", fmt.Errorf("answer: -context and the file %s exclude each other", c.args[0])
	case a.hasContext:
	case len(c.args) == 1 && c.args[0] != "-":
		where = c.args[0]
		data, err := os.ReadFile(where)
		if err != nil {
			return "", err
		}
		text = string(data)
	default:
		where = "standard input"
		if isTerminal(c.stdin) {
			fmt.Fprintln(c.stderr, "ladon: reading the document from the terminal, until the end of input")
		}
		data, err := io.ReadAll(&contextReader{ctx: c.ctx, r: c.stdin})
		if err != nil {
			return "", fmt.Errorf("standard input: %w", err)
		}
		text = string(data)
	}
	if !utf8.ValidString(text) {
		return "", fmt.Errorf("%s: byte %d is not UTF-8", where, invalidUTF8([]byte(text)))
	}
	if text == "" {
		return "", fmt.Errorf("answer: %s: an empty document", where)
	}
	return text, nil
}

func (a *answerFlags) write(c *call, found [][]pipeline.Answer) (err error) {
	var line []byte
	for i, answers := range found {
		var rows [][]string
		for _, answer := range answers {
			if a.people {
				rows = append(rows, []string{shownScore(answer.Score), fmt.Sprintf("%d-%d", answer.Start, answer.End), oneLine(answer.Text)})
				continue
			}
			if line, err = a.appendJSON(line[:0], i, answer); err != nil {
				return err
			}
			if _, err := c.stdout.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		if a.people {
			if err := c.writeReadable(a.questions[i], rows); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *answerFlags) appendJSON(line []byte, question int, answer pipeline.Answer) (_ []byte, err error) {
	line = append(line, '{')
	if len(a.questions) > 1 {
		line = append(appendString(append(line, `"question":`...), a.questions[question]), ',')
	}
	line = appendString(append(line, `"answer":`...), answer.Text)
	if line, err = appendFloat(append(line, `,"score":`...), answer.Score); err != nil {
		return nil, err
	}
	line = strconv.AppendInt(append(line, `,"start":`...), int64(answer.Start), 10)
	line = strconv.AppendInt(append(line, `,"end":`...), int64(answer.End), 10)
	return append(line, '}'), nil
}
