package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxShards bounds the files that are open at once. The largest checkpoints have
// about two hundred.
const maxShards = 1000

// parseIndex reads the index of a sharded checkpoint, whose "weight_map" says
// for each tensor in which file it is. Other members are of no use here.
func parseIndex(text []byte) (map[string]string, error) {
	if !utf8.Valid(text) {
		return nil, fail(ErrUTF8, "index")
	}
	s := &scanner{text: text}
	var shardOf map[string]string
	err := s.object(func(key string) error {
		if key != "weight_map" {
			return s.skip()
		}
		if shardOf != nil {
			return fail(ErrDuplicate, "%q", key)
		}
		shardOf = make(map[string]string)
		return s.object(func(name string) error {
			if _, dup := shardOf[name]; dup {
				return inTensor(fail(ErrDuplicate, "in weight_map"), name)
			}
			shard, err := s.string()
			if err != nil {
				return inTensor(err, name)
			}
			if !plainName(shard) {
				return inTensor(fail(ErrShardName, "%s", quote(shard)), name)
			}
			if len(shardOf) == maxTensors {
				return fail(ErrLimit, "more than %d tensors", maxTensors)
			}
			shardOf[name] = shard
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	if shardOf == nil {
		return nil, fail(ErrField, "no field %q", "weight_map")
	}
	return shardOf, nil
}

// plainName reports whether name names a file beside the index, and nothing else.
func plainName(name string) bool {
	return name != "." && fs.ValidPath(name) && !strings.ContainsAny(name, "/\\:\x00")
}

// openShards opens the shards that an index names and checks that they hold what
// it says, no more and no less.
func (d folder) openShards(index string) (*Set, error) {
	set := newSet(d.shown(index))
	err := d.addShards(set, index)
	if err != nil {
		set.Close()
		return nil, inFile(err, set.name)
	}
	return set, nil
}

func (d folder) addShards(set *Set, index string) error {
	shardOf, err := d.readIndex(index)
	if err != nil {
		return err
	}
	shards := slices.Compact(slices.Sorted(maps.Values(shardOf)))
	if len(shards) > maxShards {
		return fail(ErrLimit, "%d shards, more than %d", len(shards), maxShards)
	}
	var missing []string
	for _, shard := range shards {
		f, err := d.open(shard)
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, shard)
			continue
		}
		if err != nil {
			return err
		}
		if err := set.add(f); err != nil {
			return err
		}
	}
	if missing != nil {
		return fail(ErrShardMissing, "%s", quoteList(missing))
	}
	return d.checkIndex(set, shardOf)
}

func (d folder) readIndex(index string) (map[string]string, error) {
	f, err := d.open(index)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.size > maxHeader {
		return nil, fail(ErrLimit, "index of %d bytes, more than %d", f.size, maxHeader)
	}
	text, err := f.bytes(0, f.size)
	if err != nil {
		return nil, ioError(f.name, err)
	}
	return parseIndex(text)
}

// checkIndex compares the tensors that were found with those of the index and
// names all that differ.
func (d folder) checkIndex(set *Set, shardOf map[string]string) error {
	var extra, missing []string
	for _, t := range set.tensors {
		shard, ok := shardOf[t.info.Name]
		if !ok || t.info.File != d.shown(shard) {
			extra = append(extra, t.info.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(shardOf)) {
		t, err := set.find(name)
		if err != nil || t.info.File != d.shown(shardOf[name]) {
			missing = append(missing, name)
		}
	}
	var details []string
	if missing != nil {
		details = append(details, fmt.Sprintf("not in the shard that the index names: %s", quoteList(missing)))
	}
	if extra != nil {
		details = append(details, fmt.Sprintf("in a shard that the index does not name for it: %s", quoteList(extra)))
	}
	if details != nil {
		return fail(ErrIndex, "%s", strings.Join(details, "; "))
	}
	return nil
}
