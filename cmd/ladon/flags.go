package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
)

// registerGlobals adds the flags that every computing command has. more names
// types that -dtype takes beside the usual ones.
func (c *call) registerGlobals(fs *flag.FlagSet, more []string) {
	c.threads = runtime.GOMAXPROCS(0)
	fs.Var(threadsValue{&c.threads}, "threads", "use at most `N` threads")
	fs.Var(choiceValue{&c.dtype, append([]string{"auto", "f32", "int8"}, more...)}, "dtype",
		"compute in `TYPE`: auto (as stored), f32, or int8 (quantised while loading)")
	fs.BoolVar(&c.json, "json", false, "print JSON (commands that print only JSON ignore it)")
}

// threadsValue is a count that must be at least 1; anything else is a usage error.
type threadsValue struct{ n *int }

func (v threadsValue) String() string {
	if v.n == nil {
		return ""
	}
	return strconv.Itoa(*v.n)
}

func (v threadsValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return usagef("-threads %s: a whole number from 1 up", s)
	}
	*v.n = n
	return nil
}

// choiceValue is one of a few names.
type choiceValue struct {
	s       *string
	choices []string
}

func (v choiceValue) String() string {
	if v.s == nil {
		return ""
	}
	return *v.s
}

func (v choiceValue) Set(s string) error {
	for _, c := range v.choices {
		if strings.EqualFold(s, c) {
			*v.s = c
			return nil
		}
	}
	return fmt.Errorf("one of %s", strings.Join(v.choices, ", "))
}

// pathValue is a path. An empty one, which an unset variable of a shell gives,
// must not pass for no flag at all.
type pathValue struct{ s *string }

func (v pathValue) String() string { return "" }

func (v pathValue) Set(s string) error {
	if s == "" {
		return errors.New("an empty path")
	}
	*v.s = s
	return nil
}

// countValue is a whole number that must be at least min.
type countValue struct {
	n   *int
	min int
}

func (v countValue) String() string {
	if v.n == nil {
		return ""
	}
	return strconv.Itoa(*v.n)
}

func (v countValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.min {
		return fmt.Errorf("a whole number from %d up", v.min)
	}
	*v.n = n
	return nil
}

// countFlag registers a whole-number flag with a lower bound.
func countFlag(fs *flag.FlagSet, name string, value, min int, usage string) *int {
	fs.Var(countValue{&value, min}, name, usage)
	return &value
}

// given says whether a flag stands on the command line.
func given(fs *flag.FlagSet, name string) bool {
	found := false
	fs.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// countsValue is a list of whole numbers of at least 1, separated by commas.
type countsValue struct{ list *[]int }

func (v countsValue) String() string { return "" }

func (v countsValue) Set(s string) error {
	var list []int
	for f := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil || n < 1 {
			return fmt.Errorf("whole numbers from 1 up, separated by commas")
		}
		list = append(list, n)
	}
	*v.list = list
	return nil
}

// parseInterspersed parses flags that stand anywhere among the arguments and
// gives the arguments. The flag package stops at the first argument, and is
// therefore fed one flag at a time. `--` ends the flags; a lone `-` is an
// argument.
func parseInterspersed(fs *flag.FlagSet, args []string) (rest []string, err error) {
	for i := 0; i < len(args); {
		arg := args[i]
		switch {
		case arg == "--":
			return append(rest, args[i+1:]...), nil
		case len(arg) < 2 || arg[0] != '-':
			rest = append(rest, arg)
			i++
			continue
		}
		name, value, inline := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		if name == "h" || name == "help" {
			return nil, flag.ErrHelp
		}
		f := fs.Lookup(name)
		if f == nil {
			return nil, usagef("%s: unknown flag -%s (arguments that begin with - follow a --)", fs.Name(), name)
		}
		i++
		switch b, ok := f.Value.(interface{ IsBoolFlag() bool }); {
		case inline:
		case ok && b.IsBoolFlag():
			value = "true"
		case i == len(args):
			return nil, fmt.Errorf("%s: -%s needs a value", fs.Name(), name)
		default:
			value = args[i]
			i++
		}
		if err := fs.Set(name, value); err != nil {
			if _, ok := err.(*usageError); ok {
				return nil, err
			}
			return nil, fmt.Errorf("%s: -%s %q: %w", fs.Name(), name, value, err)
		}
	}
	return rest, nil
}

// writeHelp writes what -h gives for one command.
func (cmd command) writeHelp(w io.Writer, parent string, fs *flag.FlagSet) error {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: %s %s [flags] %s\n\n%s\n", parent, cmd.name, cmd.args, cmd.summary)
	if cmd.help != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(cmd.help))
	}
	if cmd.cases != nil {
		b.WriteString("\ncases:\n")
		for _, c := range cmd.cases {
			fmt.Fprintf(&b, "  %-9s %s\n", c.name, c.summary)
		}
		_, err := io.WriteString(w, b.String())
		return err
	}
	heading := "\nflags:\n"
	fs.VisitAll(func(f *flag.Flag) {
		b.WriteString(heading)
		heading = ""
		unit, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(&b, "  -%s %s\n        %s", f.Name, unit, usage)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			fmt.Fprintf(&b, " (default %s)", f.DefValue)
		}
		b.WriteByte('\n')
	})
	_, err := io.WriteString(w, b.String())
	return err
}
