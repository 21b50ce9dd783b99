package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// ErrFormat matches every [*FormatError], whatever its reason.
var ErrFormat = errors.New("malformed weights")

// The ways in which a file can be wrong, as errors.Is sees them.
var (
	ErrShort        = errors.New("file is shorter than the 8 bytes of a header length")
	ErrHeaderLength = errors.New("header length is over the limit")
	ErrHeaderBounds = errors.New("header reaches past the end of the file")
	ErrHeaderStart  = errors.New("header does not begin with '{'")
	ErrUTF8         = errors.New("not valid UTF-8")
	ErrJSON         = errors.New("not the JSON expected")
	ErrDuplicate    = errors.New("duplicate name")
	ErrField        = errors.New("field missing or unknown")
	ErrMetadata     = errors.New("metadata is not a map of strings")
	ErrNumber       = errors.New("not a whole number from 0 to 2^63-1")
	ErrLimit        = errors.New("over a limit of this package")
	ErrDType        = errors.New("unknown dtype")
	ErrOverflow     = errors.New("size does not fit 63 bits")
	ErrSize         = errors.New("shape and dtype do not match the number of bytes")
	ErrOffsets      = errors.New("data ends before it begins")
	ErrOverlap      = errors.New("data overlaps another tensor's")
	ErrHole         = errors.New("bytes before the data belong to no tensor")
	ErrTruncated    = errors.New("data reaches past the end of the file")
	ErrTrailing     = errors.New("bytes at the end of the file belong to no tensor")
	ErrShardName    = errors.New("shard is not a plain file name")
	ErrShardMissing = fmt.Errorf("shard is missing: %w", fs.ErrNotExist)
	ErrIndex        = errors.New("index and shards disagree")
	ErrMagic        = errors.New("file does not begin with the letters GGUF")
	ErrVersion      = errors.New("version of GGUF is not supported")
	ErrKind         = errors.New("not a value of GGUF metadata")
	ErrAlignment    = errors.New("alignment is wrong")
	ErrSplit        = errors.New("parts of a split file disagree")
)

// The ways in which a request can be wrong.
var (
	// ErrNotFound says that a Set has no tensor of that name.
	ErrNotFound = errors.New("no such tensor")
	// ErrConvert says that elements cannot be converted as asked.
	ErrConvert = errors.New("cannot convert")
	// ErrRange says that elements were asked for that a tensor does not have.
	ErrRange = errors.New("out of range")
	// ErrClosed says that the Set was closed.
	ErrClosed = errors.New("set is closed")
)

// A FormatError tells what is wrong with a file, or with what was to become one.
type FormatError struct {
	File   string // as opened; empty when there is none yet
	Tensor string // empty when no single tensor is at fault
	Reason error  // one of this package's sentinels, such as ErrOverlap
	Detail string // the values at fault; may be empty
}

func (e *FormatError) Error() string {
	var b strings.Builder
	b.WriteString("weights: ")
	if e.File != "" {
		b.WriteString(e.File + ": ")
	}
	if e.Tensor != "" {
		b.WriteString("tensor " + quote(e.Tensor) + ": ")
	}
	b.WriteString(e.Reason.Error())
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	return b.String()
}

// Unwrap returns the reason.
func (e *FormatError) Unwrap() error { return e.Reason }

// Is reports whether target is ErrFormat.
func (e *FormatError) Is(target error) bool { return target == ErrFormat }

// fail makes a FormatError that does not know yet which file and tensor it is about.
func fail(reason error, format string, args ...any) error {
	return &FormatError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// inFile and inTensor tell a FormatError where it happened, unless it knows.
func inFile(err error, file string) error {
	if e, ok := errors.AsType[*FormatError](err); ok && e.File == "" {
		e.File = file
	}
	return err
}

func inTensor(err error, tensor string) error {
	if e, ok := errors.AsType[*FormatError](err); ok && e.Tensor == "" {
		e.Tensor = tensor
	}
	return err
}

// quote makes text from a file fit for a message: printable and short.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}

// quoteList is quote for several names, of which it shows the first few.
func quoteList(names []string) string {
	const most = 8
	var b strings.Builder
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(name))
	}
	return b.String()
}
