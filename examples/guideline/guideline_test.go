package guideline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// stop is one stop of the tour: a program, and what the attacker makes of it.
type stop struct {
	name   string
	story  string // what to look at, in a sentence or two
	victim attack.Victim
	opts   []attack.Option
	breaks []rules.Rule // empty: proved safe
	needs  []string     // programs that it starts
}

// incorrect lists the programs that break, and the rules by which.
var incorrect = []stop{
	{
		name: "existsThenOpen",
		story: "Asks whether the file is there, then creates it. The attacker plants something at the name before the " +
			"question, or between question and creation.",
		victim: func(*attack.Scene) error { return existsThenOpen("settings") },
		opts:   []attack.Option{attack.Target("settings")},
		breaks: []rules.Rule{rules.X01, rules.X04, rules.X05, rules.X09, rules.X10},
	},
	{
		name: "mktempThenOpen",
		story: "Creates a file under a name that nobody could foretell, but without O_EXCL and for all to open. Nobody who " +
			"cannot read minds plants anything at the name; what is written can be read and changed by all.",
		victim: func(*attack.Scene) error { return useAndRemove(mktempThenOpen()) },
		breaks: []rules.Rule{rules.C01, rules.C10, rules.X04, rules.X09},
	},
	{
		name:   "pidName",
		story:  "Names its file after its process id. The attacker knows that too, and is there first.",
		victim: func(*attack.Scene) error { return useAndRemove(pidName()) },
		breaks: []rules.Rule{rules.X01, rules.X04, rules.X09, rules.X10},
	},
	{
		name: "reliesOnUmask",
		story: "Random name, O_EXCL: only the mode is wrong, and right again wherever the umask is 077. The code under test " +
			"runs with umask 0, so that a mode is its own doing.",
		victim: func(*attack.Scene) error { return useAndRemove(reliesOnUmask()) },
		breaks: []rules.Rule{rules.X04, rules.X09},
	},
	{
		name:   "removesWhenAllGoesWell",
		story:  "Removes its file at the end, which an early return does not reach. No attacker is needed.",
		victim: func(*attack.Scene) error { return failing(removesWhenAllGoesWell(fail)) },
		breaks: []rules.Rule{rules.R01},
	},
	{
		name:   "shellExistsThenWrite",
		story:  `The first program again as a shell has it: [ -e "$1" ] || echo defaults > "$1".`,
		victim: func(*attack.Scene) error { return shellExistsThenWrite("settings") },
		opts:   []attack.Option{attack.Target("settings")},
		breaks: []rules.Rule{rules.X01, rules.X04, rules.X05, rules.X07, rules.X09, rules.X10},
		needs:  []string{"sh"},
	},
	{
		name:   "sharedParts",
		story:  "Three goroutines, each with a numbered file in the shared directory.",
		victim: func(*attack.Scene) error { return sharedParts([]string{"one", "two", "three"}) },
		breaks: []rules.Rule{rules.X01, rules.X07, rules.X10},
	},
	{
		name: "rootCreate",
		story: "os.Root keeps symlinks from leading out of the shared directory. A hard link to somebody's file, or the " +
			"attacker's own file, lies within it.",
		victim: func(*attack.Scene) error { return rootCreate("report", "stuff") },
		breaks: []rules.Rule{rules.X01, rules.X07, rules.X10},
	},
	{
		name: "mkdtemp, no sticky bit",
		story: "The guideline's correct mkdtemp, in a shared directory without the sticky bit: the attacker may rename " +
			"everybody's entries there, so the directory is not the one that was made. No library function mends that.",
		victim: func(*attack.Scene) error { return mkdtemp(roundTrip) },
		opts:   []attack.Option{attack.Unsticky(), attack.Depth(1)}, // one move is enough here
		breaks: []rules.Rule{rules.X01, rules.X06},
	},
}

// correct lists the programs that no schedule breaks.
var correct = []stop{
	{
		name: "createNew",
		story: "The first incorrect program put right: the question and the creation are one call, with O_EXCL. Everybody knows " +
			"the name; the attacker who is there first gets an error returned, and nothing else.",
		victim: func(*attack.Scene) error { return createNew("settings") },
		opts:   []attack.Option{attack.Target("settings")},
	},
	{
		name:   "temporaryFile",
		story:  "TemporaryFile: a file without a name.",
		victim: func(*attack.Scene) error { return temporaryFile(roundTrip) },
	},
	{
		name:   "createAndUnlink",
		story:  "TemporaryFile where the system has no files without a name: the name goes at once.",
		victim: func(*attack.Scene) error { return createAndUnlink(roundTrip) },
	},
	{
		name:   "temporaryFile, no sticky bit",
		story:  "TemporaryFile again, where the attacker may remove and replace everybody's files: there is no name to replace.",
		victim: func(*attack.Scene) error { return temporaryFile(roundTrip) },
		opts:   []attack.Option{attack.Unsticky()},
	},
	{
		name:   "namedTemporaryFile",
		story:  "NamedTemporaryFile: a name for as long as the file is open.",
		victim: func(*attack.Scene) error { return namedTemporaryFile(roundTrip) },
	},
	{
		name:   "spooledFile",
		story:  "SpooledTemporaryFile: in memory up to a limit, in a file beyond it.",
		victim: func(*attack.Scene) error { return spool(8, "stuff", " and more stuff") },
	},
	{
		name:   "mkstemp",
		story:  "mkstemp: filled, closed, handed on by name, removed on every way out.",
		victim: func(*attack.Scene) error { return mkstemp(roundTrip, holdsStuff) },
	},
	{
		name:   "mkstemp in the face of errors",
		story:  "mkstemp: the file is removed although filling it failed.",
		victim: func(*attack.Scene) error { return failing(mkstemp(fail, holdsStuff)) },
	},
	{
		name:   "mkdtemp",
		story:  "mkdtemp: a predictable name inside a directory of one's own.",
		victim: func(*attack.Scene) error { return mkdtemp(roundTrip) },
	},
	{
		name:   "shellMktemp",
		story:  "The safe way in a shell: f=$(mktemp), and a trap that removes it.",
		victim: func(*attack.Scene) error { return shellMktemp() },
		needs:  []string{"sh", "mktemp"},
	},
	{
		name:   "privateParts",
		story:  "Three goroutines, with their numbered files in a directory of the program's own.",
		victim: func(*attack.Scene) error { return privateParts([]string{"one", "two", "three"}) },
	},
	{
		name:   "rootExclusive",
		story:  "os.Root, a random name and O_EXCL.",
		victim: func(*attack.Scene) error { return rootExclusive("stuff") },
	},
}

// TestIncorrect shows how each unsafe program is broken. The test passes
// because the attacker wins in the stated way.
func TestIncorrect(t *testing.T) {
	for _, s := range incorrect {
		t.Run(s.name, func(t *testing.T) { s.visit(t) })
	}
}

// TestCorrect proves each safe program.
func TestCorrect(t *testing.T) {
	for _, s := range correct {
		t.Run(s.name, func(t *testing.T) { s.visit(t) })
	}
}

// visit runs the attack and tells what came of it.
func (s stop) visit(t *testing.T) *attack.Report {
	for _, program := range s.needs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs a program that is not here: %v", err)
		}
	}
	opts := append([]attack.Option{attack.Expect(s.breaks...)}, s.opts...)
	report := attack.Prove(t, s.victim, opts...)
	t.Log(s.tell(report))
	return report
}

// tell is what a visitor reads of a report under -v. It has nothing in it
// that differs from run to run.
func (s stop) tell(report *attack.Report) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n", s.story)
	switch {
	case len(s.breaks) > 0:
		fmt.Fprintf(&text, "BROKEN, as expected, in %s (%s tried at %s):\n", count(len(report.Findings), "way", "ways"), count(report.Schedules, "schedule", "schedules"), boundaries(report))
	case report.Schedules == 0:
		fmt.Fprintf(&text, "PROVED: %s, and nothing that the attacker has the knowledge and the right to do before any.\n", boundaries(report))
	default:
		fmt.Fprintf(&text, "PROVED: none of %s, at %s, breaks it.\n", count(report.Schedules, "schedule", "schedules"), boundaries(report))
	}
	for _, finding := range report.Findings {
		fmt.Fprintf(&text, "\n%s", finding)
	}
	return text.String()
}

func boundaries(report *attack.Report) string {
	return count(report.Boundaries, "system-call boundary", "system-call boundaries")
}

func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// What the programs do with their files:

// stuff is what is written.
const stuff = "stuff"

// useAndRemove writes to a file that was just opened, and removes it.
func useAndRemove(file *os.File, err error) error {
	if err != nil {
		return err
	}
	_, err = file.WriteString(stuff)
	return errors.Join(err, file.Close(), os.Remove(file.Name()))
}

// roundTrip writes to a file and reads it again.
func roundTrip(file *os.File) error {
	if _, err := file.WriteString(stuff); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	got, err := io.ReadAll(file)
	return errors.Join(err, isStuff(got))
}

// holdsStuff reads a file by its name.
func holdsStuff(path string) error {
	got, err := os.ReadFile(path)
	return errors.Join(err, isStuff(got))
}

func isStuff(got []byte) error {
	if string(got) != stuff {
		return fmt.Errorf("wrote %q, read %q", stuff, got)
	}
	return nil
}

var errFill = errors.New("the disk is full")

// fail is a use of a file that does not work out.
func fail(*os.File) error { return errFill }

// failing takes the error of fail for the success that it is here.
func failing(err error) error {
	if errors.Is(err, errFill) {
		return nil
	}
	return errors.Join(errors.New("the error of filling the file was lost"), err)
}

// spool writes texts to a spooledFile and reads them again.
func spool(limit int, texts ...string) error {
	held := &spooledFile{limit: limit}
	for _, text := range texts {
		if _, err := io.WriteString(held, text); err != nil {
			return errors.Join(err, held.Close())
		}
	}
	var got bytes.Buffer
	_, err := held.WriteTo(&got)
	if want := strings.Join(texts, ""); err == nil && got.String() != want {
		err = fmt.Errorf("wrote %q, read %q", want, &got)
	}
	return errors.Join(err, held.Close())
}

// TestSpooledFileInMemory is the half of spooledFile that touches no file.
func TestSpooledFileInMemory(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP"} {
		t.Setenv(name, dir)
	}
	require.NoError(t, spool(8, "stuff", "!"))
	held := &spooledFile{limit: 8}
	_, err := held.Write([]byte("12345678"))
	require.NoError(t, err)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "eight bytes fit into memory")
	_, err = held.Write([]byte("9"))
	require.NoError(t, err)
	entries, err = os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nine bytes do not")
	require.NoError(t, held.Close())
	entries, err = os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}
