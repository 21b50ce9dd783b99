package main

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/ladon-ml/ladon/internal/cpu"
)

var versionCommand = command{
	name:    "version",
	summary: "print the version, the Go release and the instruction set in use",
	plain:   true,
	setup: func(*flag.FlagSet) func(*call) error {
		return func(c *call) error {
			if err := c.noArgs(); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.stdout, "ladon %s %s %s/%s %s\n",
				version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, cpu.Active())
			return err
		}
	},
}

// version is the module's version as the build recorded it, else its revision.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "(devel)"
}

// helpCommand is a function because its setup reads the table that holds it.
func helpCommand() command {
	return command{
		name:    "help",
		args:    "[COMMAND]",
		summary: "list the commands, or explain one",
		plain:   true,
		setup: func(*flag.FlagSet) func(*call) error {
			return func(c *call) error {
				if len(c.args) == 0 {
					return writeUsage(c.stdout)
				}
				cmd, ok := findCommand(commands(), c.args[0])
				if !ok {
					return usagef("help: unknown command %q; one of %s", c.args[0], commandNames(commands()))
				}
				return cmd.execute(c.ctx, "ladon", append(c.args[1:], "-h"), c.stdin, c.stdout, c.stderr)
			}
		},
	}
}

// writeUsage writes the list of commands.
func writeUsage(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Ladon runs transformer models on the CPU.\n\nusage: ladon COMMAND [flags] [arguments]\n\ncommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-9s %s\n", c.name, c.summary)
	}
	b.WriteString("\nladon COMMAND -h explains a command. Flags follow the command, in any order with its arguments.\n" +
		"LADON_ISA=generic|avx2|avx512|neon, with -vnni or -dotprod appended, uses less than this CPU has.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
