package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/pipeline"
	"github.com/ladon-ml/ladon/pipeline/minilm"
)

// A modelSource is where a command takes its model from.
type modelSource struct{ path string }

// modelFlag registers -model for commands that fall back on the embedded model.
func modelFlag(fs *flag.FlagSet) *modelSource {
	s := &modelSource{}
	fs.Var(pathValue{&s.path}, "model", "the `DIR` or GGUF file of a checkpoint (default: the embedded "+minilm.Name+")")
	return s
}

// needModelFlag registers -model for commands that need one.
func needModelFlag(fs *flag.FlagSet) *modelSource {
	s := &modelSource{}
	fs.Var(pathValue{&s.path}, "model", "the `DIR` or GGUF file of a checkpoint")
	return s
}

// need is an error if no model was given.
func (s *modelSource) need(command string) error {
	if s.path == "" {
		return errors.New(command + ": -model is needed")
	}
	return nil
}

// open loads the model with its tokenizer.
func (s *modelSource) open(c *call) (*pipeline.Model, error) {
	dtype, err := model.ParseDType(c.dtype)
	if err != nil {
		return nil, err
	}
	opts := []pipeline.Option{pipeline.WithThreads(c.threads), pipeline.WithDType(dtype)}
	if s.path == "" {
		return minilm.Open(opts...)
	}
	return pipeline.Open(s.path, opts...)
}

// name is what messages and results call the model.
func (s *modelSource) name() string {
	if s.path == "" {
		return minilm.Name
	}
	return s.path
}

// load loads the model alone, which needs no tokenizer.
func (s *modelSource) load(c *call, more ...model.Option) (*model.Model, error) {
	dtype, err := model.ParseDType(c.dtype)
	if err != nil {
		return nil, err
	}
	return model.Load(s.path, append(more, model.WithThreads(c.threads), model.WithDType(dtype))...)
}

// loadBase loads what last_hidden_state needs, or the embedded model.
func (s *modelSource) loadBase(c *call) (*model.Model, error) {
	if s.path != "" {
		return s.load(c, model.WithoutHeads())
	}
	p, err := s.open(c)
	if err != nil {
		return nil, err
	}
	return p.Model(), nil
}

// inFile names a file in an error about its contents.
func inFile(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", path, err)
}
