package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/model"
)

// A task is something that models can be used for.
type task struct {
	name string // as the command calls it
	head string // what it takes, for the message of a model without it
	can  func(m *Model, s *model.Spec) bool
}

// tasks is the one list of them, from which every error about a missing head is
// made.
var tasks = []task{
	{"embed", "token vectors", func(m *Model, _ *model.Spec) bool { return m.embedder != nil }},
	{"rank", "text vectors, or a sequence classification head of one label", func(m *Model, _ *model.Spec) bool { return m.ranker != nil }},
	{"classify", "a sequence classification head (…ForSequenceClassification)", ofClass("ForSequenceClassification")},
	{"classify -labels", `a sequence classification head with a label that begins with "entail"`, func(_ *Model, s *model.Spec) bool {
		return strings.HasSuffix(s.Class, "ForSequenceClassification") && entailment(s) >= 0
	}},
	{"tag", "a token classification head (…ForTokenClassification)", ofClass("ForTokenClassification")},
	{"match", "towers for texts and for pictures (CLIPModel)", func(m *Model, s *model.Spec) bool { return m.vision != nil && s.Matches }},
	{"answer", "a question answering head (…ForQuestionAnswering)", func(m *Model, _ *model.Spec) bool {
		outputs := m.model.Outputs()
		return slices.Contains(outputs, startLogits) && slices.Contains(outputs, endLogits)
	}},
	{"fill-mask", "a masked language model's head (…ForMaskedLM)", func(m *Model, s *model.Spec) bool { return maskOutput(m, s) != "" }},
	{"translate", "an encoder-decoder's language model head (…ForConditionalGeneration, …MTModel)", rewrites},
	{"summarize", "an encoder-decoder's language model head (…ForConditionalGeneration)", rewrites},
	{"generate", "a language model's head (…ForCausalLM, …ForConditionalGeneration)", func(m *Model, s *model.Spec) bool {
		return m.model.Continues() && (!readsSource(s) || readsText(s))
	}},
	{"caption", "an encoder of pictures with a decoder of text (VisionEncoderDecoderModel)", func(m *Model, s *model.Spec) bool {
		return m.vision != nil && readsSource(s) && m.model.Continues()
	}},
}

// readsSource tells encoder-decoders, which do nothing without a source.
func readsSource(s *model.Spec) bool { return s.Other != nil && !s.Matches }

// textTasks lists what a model of texts can be used for, as far as its class tells.
func textTasks(s *model.Spec) []string {
	list := []string{"embed"}
	for _, t := range [...]struct{ class, task string }{
		{"ForSequenceClassification", "classify"},
		{"ForTokenClassification", "tag"},
		{"ForQuestionAnswering", "answer"},
		{"ForMaskedLM", "fill-mask"},
		{"ForCausalLM", "generate"},
		{"LMHeadModel", "generate"},
	} {
		if strings.HasSuffix(s.Class, t.class) {
			list = append(list, t.task)
		}
	}
	return list
}

// ofClass tells models by the end of their class, as config.json names it.
func ofClass(suffix string) func(*Model, *model.Spec) bool {
	return func(_ *Model, s *model.Spec) bool { return strings.HasSuffix(s.Class, suffix) }
}

// rewrites tells models that write a text about another one.
func rewrites(m *Model, s *model.Spec) bool {
	return m.model.Continues() && readsText(s)
}

// readsText tells encoder-decoders whose source is a text.
func readsText(s *model.Spec) bool { return readsSource(s) && s.Other.Embeddings.Patches == nil }

// can tells whether the model can be used for a task; if it cannot, the error
// says for which it can.
func (m *Model) can(name string) error {
	spec := m.model.Spec()
	var others []string
	var asked task
	for _, t := range tasks {
		switch {
		case !t.can(m, &spec):
		case t.name == name:
			return nil
		default:
			others = append(others, t.name)
		}
		if t.name == name {
			asked = t
		}
	}
	kind := kindOf(&spec)
	if m.headless != nil {
		kind = withoutHead(m.headless)
	}
	return &TaskError{Name: m.name, Model: kind, Task: name, Needs: asked.head, Can: others}
}

// withoutHead says what a checkpoint is that lacks the head of its config.json.
func withoutHead(e *model.WeightsError) string {
	problems := e.Problems
	if len(problems) > 2 {
		problems = append(problems[:2:2], "…")
	}
	return fmt.Sprintf("%s whose head is missing (%s)", e.Headless, strings.Join(problems, "; "))
}

// pictureTasks lists what a model of pictures can be used for.
func pictureTasks(s *model.Spec) []string {
	list := []string{"embed -image"}
	switch {
	case strings.HasSuffix(s.Class, "ForObjectDetection"):
		list = append(list, "detect")
	case strings.Contains(s.Class, "ForImageClassification"):
		list = append(list, "classify -image")
	case s.Matches:
		list = append(list, "match", "classify -image -labels")
	case readsSource(s):
		list = append(list, "caption")
	}
	return list
}

// kindOf says what a model is.
func kindOf(s *model.Spec) string {
	switch {
	case s.Class == "":
		return s.Architecture + " without a head"
	case strings.HasSuffix(s.Class, "Classification") && len(s.Labels) == 1:
		return s.Class + " of one label"
	case strings.HasSuffix(s.Class, "Classification"):
		return fmt.Sprintf("%s of %d labels", s.Class, len(s.Labels))
	}
	return s.Class
}

// Tasks lists what the model can be used for, by the names of the command:
// "embed", "rank", "classify" …
func (m *Model) Tasks() []string {
	spec := m.model.Spec()
	var list []string
	for _, t := range tasks {
		if t.can(m, &spec) {
			list = append(list, t.name)
		}
	}
	return list
}

// A TaskError says that a checkpoint has no head for a task, and what it can be
// used for instead.
type TaskError struct {
	Name  string // of the folder or file
	Model string // what it is: its class in config.json, a classifier's with the number of labels
	Task  string
	Needs string // the head that the task takes
	Can   []string
}

func (e *TaskError) Error() string {
	can := "nothing that this package knows"
	if len(e.Can) > 0 {
		can = strings.Join(e.Can, ", ")
	}
	return fmt.Sprintf("pipeline: %s: a %s cannot %s, which takes %s; it can be used for: %s", e.Name, e.Model, e.Task, e.Needs, can)
}
