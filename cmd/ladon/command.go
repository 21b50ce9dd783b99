package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// A command is a row of the table that dispatch, help and tests range over.
type command struct {
	name    string
	args    string // what follows the flags, for the usage line
	summary string // one line, for the list of commands
	help    string // the rest of -h, may be empty

	// setup registers the command's flags and gives what runs once they are parsed.
	setup func(fs *flag.FlagSet) func(*call) error
	// plain commands take no global flags and compute nothing.
	plain bool
	// dtypes are what -dtype takes here beside the usual types.
	dtypes []string
	// cases are the commands below this one, which then has no setup.
	cases []command
}

// A call is one run of a command: its streams, its arguments without the
// flags, and the flags that every command has.
type call struct {
	ctx     context.Context
	stdin   io.Reader
	stdout  *bufio.Writer // flushed when the command returns; streams flush it themselves
	stderr  io.Writer
	args    []string
	threads int
	dtype   string
	json    bool

	terminal bool // stdout is one
}

// commands lists what the program can do, in the order in which help shows it.
func commands() []command {
	return []command{
		embedCommand,
		rankCommand,
		searchCommand,
		classifyCommand,
		tagCommand,
		answerCommand,
		fillMaskCommand,
		translateCommand,
		summarizeCommand,
		detectCommand,
		matchCommand,
		captionCommand,
		forwardCommand,
		generateCommand,
		attentionCommand,
		mhaCommand,
		tokenizeCommand,
		quantizeCommand,
		pruneCommand,
		perplexityCommand,
		infoCommand,
		benchCommand,
		versionCommand,
		helpCommand(),
	}
}

func findCommand(list []command, name string) (command, bool) {
	for _, c := range list {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

func commandNames(list []command) string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// execute parses the flags and arguments that follow the command's name and
// runs it. parent is what stands before the name on the command line.
func (cmd command) execute(ctx context.Context, parent string, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if cmd.cases != nil {
		return cmd.executeCase(ctx, parent, args, stdin, stdout, stderr)
	}
	fs := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are returned, help is written below
	fs.Usage = func() {}
	c := &call{ctx: ctx, stdin: stdin, stdout: bufio.NewWriterSize(stdout, 1<<16), stderr: stderr, dtype: "auto", terminal: isTerminal(stdout)}
	runner := cmd.setup(fs)
	if !cmd.plain {
		c.registerGlobals(fs, cmd.dtypes)
	}
	rest, err := parseInterspersed(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return cmd.writeHelp(stdout, parent, fs)
	case err != nil:
		return err
	}
	if err := cpu.Err(); err != nil {
		return &usageError{err.Error()}
	}
	c.args = rest
	err = runner(c)
	if ferr := c.stdout.Flush(); err == nil {
		err = ferr
	}
	return err
}

// executeCase runs the case that args name. Its flags may stand before it, as
// they may before any argument.
func (cmd command) executeCase(ctx context.Context, parent string, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	for i, arg := range args {
		if c, ok := findCommand(cmd.cases, arg); ok {
			return c.execute(ctx, parent+" "+cmd.name, slices.Concat(args[:i], args[i+1:]), stdin, stdout, stderr)
		}
	}
	if slices.ContainsFunc(args, func(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }) {
		return cmd.writeHelp(stdout, parent, nil)
	}
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return usagef("%s: unknown case %q; one of %s", cmd.name, arg, commandNames(cmd.cases))
		}
	}
	return usagef("%s: no case; one of %s", cmd.name, commandNames(cmd.cases))
}

// noArgs refuses arguments for a command that has none.
func (c *call) noArgs() error {
	if len(c.args) > 0 {
		return fmt.Errorf("unexpected argument %q", c.args[0])
	}
	return nil
}

// width is how many threads would run: the pool has no more than GOMAXPROCS.
func (c *call) width() int { return min(c.threads, runtime.GOMAXPROCS(0)) }

// warnf writes a warning, which does not change the exit code.
func (c *call) warnf(format string, args ...any) {
	fmt.Fprintf(c.stderr, "ladon: warning: "+format+"\n", args...)
}
