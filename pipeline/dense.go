package pipeline

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/weights"
)

// A dense is a loaded Dense module: y = act(x·Wᵀ + b).
type dense struct {
	w    *kernels.Matrix // [out, in]
	bias []float32       // [out], nil: none
	act  kernels.Activation
}

// denseActivations are the activation functions of Dense modules, as torch
// names their classes.
var denseActivations = map[string]kernels.Activation{
	"":                                 kernels.Tanh, // the module's default
	"torch.nn.modules.activation.Tanh": kernels.Tanh,
	"torch.nn.modules.activation.ReLU": kernels.ReLU,
	"torch.nn.modules.activation.GELU": kernels.GELU,
	"torch.nn.modules.activation.SiLU": kernels.SiLU,
	"torch.nn.modules.linear.Identity": kernels.None,
}

// loadStages loads what follows pooling: a Dense module, or nil for Normalize.
// width is that of the pooled vectors; the width of the last stage's is returned.
func loadStages(fsys fs.FS, stages []stage, width int) ([]*dense, int, error) {
	list := make([]*dense, len(stages))
	for i, s := range stages {
		if s.normalize {
			continue
		}
		c := s.dense
		name := path.Join(c.dir, "config.json")
		if c.In != width {
			return nil, 0, fmt.Errorf("%s: in_features %d, but the vectors before it have %d", name, c.In, width)
		}
		act, ok := denseActivations[c.Activation]
		if !ok {
			return nil, 0, fmt.Errorf("%s: activation_function %q is not supported", name, c.Activation)
		}
		d, err := loadDense(fsys, c)
		if err != nil {
			return nil, 0, err
		}
		d.act = act
		list[i], width = d, c.Out
	}
	return list, width, nil
}

func loadDense(fsys fs.FS, c *denseConfig) (*dense, error) {
	set, err := weights.OpenFS(fsys, c.dir)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	const weight, bias = "linear.weight", "linear.bias"
	w, err := readTensor(set, weight, c.Out, c.In)
	if err != nil {
		return nil, err
	}
	d := &dense{}
	if c.Bias == nil || *c.Bias {
		if d.bias, err = readTensor(set, bias, c.Out); err != nil {
			return nil, err
		}
	}
	if d.w, err = kernels.Pack(w, c.Out, c.In); err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", set, weight, err)
	}
	return d, nil
}

// readTensor reads a tensor, which must have the given shape, as float32.
func readTensor(set *weights.Set, name string, shape ...int) ([]float32, error) {
	info, ok := set.Lookup(name)
	if ok && !slices.Equal(info.Shape, shape) {
		return nil, fmt.Errorf("%s: tensor %q has shape %v, want %v", set, name, info.Shape, shape)
	}
	t, err := set.Tensor(name)
	if err != nil {
		return nil, err
	}
	return t.Float32s(nil)
}
