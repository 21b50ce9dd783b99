package main

import (
	"errors"
	"flag"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/weights"
)

var forwardCommand = command{
	name:    "forward",
	summary: "run a checkpoint on tensors from a file and write what it gives",
	help: `
The input file holds tensors named as the arguments of Hugging Face's forward
(input_ids, attention_mask, token_type_ids, position_ids, head_mask), of which missing ones
take their defaults. The output file gets float32 tensors named as its results:
last_hidden_state and those of the head that config.json names. Positions that
attention_mask excludes are zero. An encoder-decoder takes decoder_input_ids and
decoder_attention_mask too, and gives encoder_last_hidden_state; with the flags,
encoder_…, decoder_… and cross_attentions.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		var f forwardFlags
		f.src = needModelFlag(fs)
		fs.Var(pathValue{&f.in}, "in", "the safetensors `FILE` to read")
		fs.Var(pathValue{&f.out}, "out", "the safetensors `FILE` to write")
		fs.BoolVar(&f.attentions, "attentions", false, "write the attention weights: attentions.0, …")
		fs.BoolVar(&f.hidden, "hidden-states", false, "write the hidden states: hidden_states.0 (the embeddings), …")
		return func(c *call) error { return f.run(c) }
	},
}

type forwardFlags struct {
	src                *modelSource
	in, out            string
	attentions, hidden bool
}

func (f *forwardFlags) run(c *call) error {
	if err := c.noArgs(); err != nil {
		return err
	}
	if err := f.src.need("forward"); err != nil {
		return err
	}
	if f.in == "" || f.out == "" {
		return errors.New("forward: -in and -out are needed")
	}
	inputs, err := readTensors(f.in)
	if err != nil {
		return err
	}
	m, err := f.src.load(c)
	if err != nil {
		return err
	}
	defer m.Close()
	results, err := m.ForwardTensors(c.ctx, inputs, f.outputs(m)...)
	if err != nil {
		return inFile(f.in, err)
	}
	return weights.Write(f.out, results, nil)
}

// outputs lists the results to ask for: those of the heads, and what the flags add.
func (f *forwardFlags) outputs(m *model.Model) []string {
	var names []string
	for _, name := range m.Outputs() {
		switch {
		case name == model.HiddenStates && !f.hidden:
		case name == model.Attentions && !f.attentions:
		default:
			names = append(names, name)
		}
	}
	return names
}

// readTensors reads a whole safetensors file.
func readTensors(path string) ([]weights.Tensor, error) {
	set, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	list := make([]weights.Tensor, 0, set.Len())
	for _, name := range set.Names() {
		t, err := set.Tensor(name)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}
