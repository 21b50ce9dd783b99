package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progressDelay is how long work may take in silence.
const progressDelay = time.Second

// A progress shows on a terminal how far long work has come; elsewhere it
// shows nothing.
type progress struct {
	bar     *progressbar.ProgressBar // nil: stderr is no terminal
	started time.Time
	shown   bool
}

// newProgress starts the clock for total units of work, or an unknown amount if
// total is below 0.
func newProgress(stderr io.Writer, total int, what string) *progress {
	if !isTerminal(stderr) {
		return &progress{}
	}
	return &progress{
		bar: progressbar.NewOptions(total,
			progressbar.OptionSetWriter(stderr),
			progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100*time.Millisecond),
		),
		started: time.Now(),
	}
}

// set says that n units are done.
func (p *progress) set(n int) {
	if p.bar != nil && time.Since(p.started) > progressDelay {
		p.shown = true
		_ = p.bar.Set(n) // a terminal that refuses the bar is no reason to fail
	}
}

// finish removes the bar.
func (p *progress) finish() {
	if p.shown {
		_ = p.bar.Clear()
	}
}

// isTerminal says whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
