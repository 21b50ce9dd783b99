package pipeline

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/model/weights"
)

// gguf is the path of the GGUF file that s is, or holds without a config.json; ""
// if it is another checkpoint's folder.
func (s source) gguf() (string, error) {
	info, err := fs.Stat(s.fsys, s.dir)
	switch {
	case err != nil:
		return "", s.fail(bare(err))
	case !info.IsDir():
		return s.dir, nil
	}
	for _, name := range []string{"config.json", "modules.json"} {
		if _, err := fs.Stat(s.fsys, path.Join(s.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
	}
	name, err := weights.FindGGUF(s.fsys, s.dir, s.shown)
	if err != nil || name == "" {
		return "", err
	}
	return path.Join(s.dir, name), nil
}

// openGGUF reads a GGUF file, in whose metadata are the tokenizer and all
// settings.
func (s source) openGGUF(m *Model, name string) error {
	var set *weights.Set
	var err error
	if s.dir != s.shown {
		shown := s.shown
		if name != s.dir {
			shown = filepath.Join(s.shown, path.Base(name))
		}
		set, err = weights.Open(shown)
	} else {
		set, err = weights.OpenFS(s.fsys, name)
	}
	if err != nil {
		return err
	}
	defer set.Close()
	if set.Format() != weights.GGUF {
		return s.fail(errors.New("not a GGUF file: open its folder"))
	}
	m.folder = plainFolder()
	if m.tokenizer, err = model.Tokenizer(set); err != nil {
		return err
	}
	m.generation, m.settingsErr = generate.SettingsOf(set.String(), set)
	m.model, err = model.NewGGUF(set, m.settings.model()...)
	return err
}
