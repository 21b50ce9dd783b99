package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/picture"
	"github.com/ladon-ml/ladon/pipeline"
)

const (
	batchPictures   = 16
	batchPixels     = 1 << 26 // with up to one picture more
	maxPictureBytes = 256 << 20
)

// pictureSuffixes tell the pictures in a folder from other files.
var pictureSuffixes = []string{".png", ".jpg", ".jpeg", ".gif", ".webp"}

// openVision loads a model that looks at pictures.
func (s *modelSource) openVision(c *call) (*pipeline.VisionModel, error) {
	dtype, err := model.ParseDType(c.dtype)
	if err != nil {
		return nil, err
	}
	return pipeline.OpenVision(s.path, pipeline.WithThreads(c.threads), pipeline.WithDType(dtype))
}

// pictureFiles are the files that a command's arguments name: themselves, or the
// pictures in a folder.
func (c *call) pictureFiles() ([]string, error) {
	var files []string
	for _, arg := range c.args {
		info, err := os.Stat(arg)
		if err != nil || !info.IsDir() {
			files = append(files, arg) // what is wrong with it is said when its turn comes
			continue
		}
		entries, err := os.ReadDir(arg)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() && slices.Contains(pictureSuffixes, strings.ToLower(filepath.Ext(e.Name()))) {
				files = append(files, filepath.Join(arg, e.Name()))
			}
		}
	}
	if len(files) == 0 {
		return nil, errors.New("no pictures: name files, or folders that hold some")
	}
	return files, nil
}

// eachPicture hands the command's pictures to do, some at a time, with their
// files. One that cannot be read or looked at is named, and the rest done. The only
// one is the error itself.
func (c *call) eachPicture(do func(files []string, pics []*picture.Picture) error) error {
	files, err := c.pictureFiles()
	if err != nil {
		return err
	}
	bar := newProgress(c.stderr, len(files), "pictures")
	defer bar.finish()
	failed := 0
	var only error
	fail := func(err error) {
		failed++
		if len(files) == 1 {
			only = err
			return
		}
		c.warnf("%v", err)
	}
	for done := 0; done < len(files); {
		var names []string
		var pics []*picture.Picture
		for pixels := 0; done < len(files) && len(pics) < batchPictures && pixels < batchPixels; done++ {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			p, err := readPicture(files[done])
			if err != nil {
				fail(err)
				continue
			}
			names, pics = append(names, files[done]), append(pics, p)
			pixels += p.Width * p.Height
		}
		for len(pics) > 0 {
			err := do(names, pics)
			one, ok := errors.AsType[*pipeline.PictureError](err)
			if !ok && err != nil {
				return err
			}
			if !ok {
				break
			}
			fail(inFile(names[one.Index], one.Err))
			names, pics = slices.Delete(names, one.Index, one.Index+1), slices.Delete(pics, one.Index, one.Index+1)
		}
		bar.set(done)
	}
	if only != nil {
		return only
	}
	if failed > 0 {
		return &unreadError{failed, len(files)}
	}
	return nil
}

// An unreadError says at the end that some pictures could not be read.
type unreadError struct{ unread, of int }

func (e *unreadError) Error() string {
	return fmt.Sprintf("%d of %d pictures could not be read", e.unread, e.of)
}

func readPicture(file string) (*picture.Picture, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPictureBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPictureBytes {
		return nil, fmt.Errorf("%s: more than %d bytes", file, maxPictureBytes)
	}
	return picture.Decode(file, data, 0)
}
