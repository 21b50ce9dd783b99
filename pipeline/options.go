package pipeline

import (
	"log/slog"

	"github.com/ladon-ml/ladon/model"
)

// An Option changes how a model is opened.
type Option func(*settings)

type settings struct {
	threads int
	dtype   model.DType
	log     *slog.Logger
}

var defaults = settings{log: slog.New(slog.DiscardHandler)}

// WithThreads limits a call to n threads; 0, the default, is GOMAXPROCS. It is
// a limit and not a pool: models share the process's workers.
func WithThreads(n int) Option { return func(s *settings) { s.threads = n } }

// WithDType says in which type the model computes. The default is the stored one.
func WithDType(d model.DType) Option { return func(s *settings) { s.dtype = d } }

// WithLogger takes warnings, such as a text that was cut. The default is silence.
func WithLogger(l *slog.Logger) Option { return func(s *settings) { s.log = l } }

// model gives the options of the model's loader.
func (s *settings) model() []model.Option {
	return []model.Option{model.WithThreads(s.threads), model.WithDType(s.dtype)}
}
