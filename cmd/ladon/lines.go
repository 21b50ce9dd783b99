package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// A lineReader gives the lines of a stream, of any length, without their line
// ends (LF or CR LF), and refuses those that are not UTF-8.
type lineReader struct {
	r    *bufio.Reader
	name string // for messages
	line int    // of the last line given, from 1
	buf  []byte // a line longer than r's buffer is put together here
}

func newLineReader(ctx context.Context, r io.Reader) *lineReader {
	return &lineReader{name: "standard input", r: bufio.NewReaderSize(&contextReader{ctx: ctx, r: r}, 1<<18)}
}

// next gives the next line, valid until the call after it, or io.EOF.
func (l *lineReader) next() ([]byte, error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		switch {
		case err == nil && len(l.buf) == 0:
			return l.check(part)
		case err == nil:
			l.buf = append(l.buf, part...)
			return l.check(l.buf)
		case errors.Is(err, bufio.ErrBufferFull):
			l.buf = append(l.buf, part...)
		case errors.Is(err, io.EOF):
			l.buf = append(l.buf, part...)
			if len(l.buf) == 0 {
				return nil, io.EOF
			}
			return l.check(l.buf)
		default:
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
	}
}

func (l *lineReader) check(line []byte) ([]byte, error) {
	l.line++
	line = bytes.TrimSuffix(line, []byte{'\n'})
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if i := invalidUTF8(line); i >= 0 {
		return nil, fmt.Errorf("%s: line %d: byte %d is not UTF-8", l.name, l.line, i)
	}
	return line, nil
}

// ready says whether next would return without waiting for the stream.
func (l *lineReader) ready() bool {
	have, _ := l.r.Peek(l.r.Buffered())
	return bytes.IndexByte(have, '\n') >= 0
}

// invalidUTF8 gives the offset of the first byte that is not part of a valid
// encoding, or -1.
func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// A contextReader stops waiting for its reader when the context ends: a
// terminal or a pipe may stay silent for ever. The read that was left behind
// ends with the process.
type contextReader struct {
	ctx  context.Context
	r    io.Reader
	buf  []byte
	done chan readResult
}

type readResult struct {
	n   int
	err error
}

func (c *contextReader) Read(p []byte) (int, error) {
	if c.done == nil {
		c.buf, c.done = make([]byte, 1<<16), make(chan readResult, 1)
	}
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	// The read goes to a buffer of its own, since p must not be written to
	// after this call has returned.
	buf := c.buf[:min(len(p), len(c.buf))]
	go func() {
		n, err := c.r.Read(buf)
		c.done <- readResult{n, err}
	}()
	select {
	case r := <-c.done:
		return copy(p, buf[:r.n]), r.err
	case <-c.ctx.Done():
		return 0, c.ctx.Err()
	}
}
