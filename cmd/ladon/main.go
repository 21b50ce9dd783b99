// Ladon runs transformer models on the CPU: it turns text into vectors, ranks
// texts against a query, runs a checkpoint's own head on given tensors, and
// measures itself. `ladon help` lists the commands.
//
// The package holds flags, files, progress and exit codes; everything that is
// computed is computed by the library.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// The exit codes of the command.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2 // unknown command, flag or ISA, or -threads below 1
)

// sameSignal is how soon after a signal another one tells nothing new.
const sameSignal = 100 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; a second one must not wait for it,
	// unless it is the same again: timeout(1) signals its child and then the group.
	context.AfterFunc(ctx, func() {
		time.Sleep(sameSignal)
		stop()
	})
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError is a mistake on the command line that exits with code 2.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// run is the whole command. It gives the exit code and has said on stderr, in
// one line, why it is not 0.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer func() {
		// A defect of ours must not look like one of the user's files, nor
		// spill a stack over their terminal.
		if r := recover(); r != nil {
			code = report(stderr, fmt.Errorf("internal error: %v", r))
		}
	}()
	return report(stderr, dispatch(ctx, args, stdin, stdout, stderr))
}

// report prints err as one line and gives its exit code.
func report(stderr io.Writer, err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, syscall.EPIPE):
		return exitFail // whoever read our output has left: nothing to tell them
	case errors.Is(err, context.Canceled):
		err = errors.New("interrupted")
	}
	// A panic's value or a list of missing tensors may span lines; callers
	// are promised one.
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	fmt.Fprintf(stderr, "ladon: %s\n", strings.TrimPrefix(strings.Join(lines, "; "), "ladon: "))
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFail
}

func dispatch(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return usagef("no command; one of %s, or ladon help", commandNames(commands()))
	}
	switch name := args[0]; name {
	case "-h", "-help", "--help":
		return writeUsage(stdout)
	case "-version", "--version":
		args[0] = "version"
	default:
		if strings.HasPrefix(name, "-") {
			return usagef("%s before a command; flags follow the command", name)
		}
	}
	cmd, ok := findCommand(commands(), args[0])
	if !ok {
		return usagef("unknown command %q; one of %s", args[0], commandNames(commands()))
	}
	return cmd.execute(ctx, "ladon", args[1:], stdin, stdout, stderr)
}
