package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A GGUF file may be split into NAME-00001-of-00003.gguf and so on. Each part is
// a GGUF file of its own and says which it is; the first has the metadata.
const (
	ggufSuffix = ".gguf"

	splitNumberKey  = "split.no" // from 0
	splitCountKey   = "split.count"
	splitTensorsKey = "split.tensors.count" // in all parts together
)

var splitPattern = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

func splitName(base string, part, parts int) string {
	return fmt.Sprintf("%s-%05d-of-%05d%s", base, part+1, parts, ggufSuffix)
}

// A splitFile is what the name of a part says: NAME and the number of parts.
type splitFile struct {
	base        string
	part, parts int // part counts from 0
}

func parseSplitName(name string) (splitFile, bool) {
	m := splitPattern.FindStringSubmatch(name)
	if m == nil {
		return splitFile{}, false
	}
	part, _ := strconv.Atoi(m[2])
	parts, _ := strconv.Atoi(m[3])
	return splitFile{m[1], part - 1, parts}, part >= 1 && part <= parts
}

// splitOf says which part of how many a header claims to be: 0 of 1 where it
// says nothing.
func splitOf(values map[string]Value) (part, parts int, err error) {
	count, ok := values[splitCountKey]
	if !ok {
		return 0, 1, nil
	}
	number := values[splitNumberKey]
	n, okNumber := number.Int()
	of, okCount := count.Int()
	if !okNumber || !okCount || of < 1 || n < 0 || n >= of {
		return 0, 0, fail(ErrSplit, "%s is %v and %s is %v", splitNumberKey, number, splitCountKey, count)
	}
	if of > maxShards {
		return 0, 0, fail(ErrLimit, "%d parts, more than %d", of, maxShards)
	}
	return int(n), int(of), nil
}

// alone checks that a file which was opened by itself is no part of a split one.
func (s *Set) alone() error {
	part, parts, err := splitOf(s.values)
	if err == nil && parts > 1 {
		err = fail(ErrShardMissing, "this is part %d of %d, but is not named …%s", part+1, parts, splitName("", part, parts))
	}
	return inFile(err, s.name)
}

// openSplit opens all parts of a split file.
func (d folder) openSplit(split splitFile, shown string) (*Set, error) {
	set := newSet(shown)
	err := d.addParts(set, split)
	if err != nil {
		set.Close()
		return nil, inFile(err, shown)
	}
	return set, nil
}

func (d folder) addParts(set *Set, split splitFile) error {
	if split.parts > maxShards {
		return fail(ErrLimit, "%d parts, more than %d", split.parts, maxShards)
	}
	var missing []string
	for i := range split.parts {
		name := splitName(split.base, i, split.parts)
		f, err := d.open(name)
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, name)
			continue
		}
		if err != nil {
			return err
		}
		values, err := set.addPart(f)
		if err != nil {
			return err
		}
		part, parts, err := splitOf(values)
		if err == nil && (part != i || parts != split.parts) {
			err = fail(ErrSplit, "by its name part %d of %d, by its header part %d of %d", i+1, split.parts, part+1, parts)
		}
		if err != nil {
			return inFile(err, f.name)
		}
	}
	if missing != nil {
		return fail(ErrShardMissing, "%s", quoteList(missing))
	}
	if total, ok := set.values[splitTensorsKey]; ok {
		if n, _ := total.Int(); n != int64(len(set.tensors)) {
			return fail(ErrSplit, "%s is %v, but the parts have %d tensors", splitTensorsKey, total, len(set.tensors))
		}
	}
	return nil
}

// FindGGUF returns the name of the one GGUF file in a folder of fsys, or of the
// first part of the one split file; "" if there is none. Several are an error
// that names them. shown is what messages call the folder.
func FindGGUF(fsys fs.FS, dir, shown string) (string, error) {
	return folder{fsys, dir, shown}.findGGUF()
}

func (d folder) findGGUF() (string, error) {
	entries, err := fs.ReadDir(d.fsys, d.dir)
	if err != nil {
		return "", ioError(d.name, err)
	}
	var found []string
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ggufSuffix) {
			continue
		}
		if split, ok := parseSplitName(name); ok {
			if name = splitName(split.base, 0, split.parts); slices.Contains(found, name) {
				continue
			}
		}
		found = append(found, name)
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("weights: %s: several %s files; name one: %s", d.name, ggufSuffix, quoteList(found))
}
