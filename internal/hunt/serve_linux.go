package hunt

import (
	"encoding/json"
	"io"
)

// Question is what a process of its own is asked.
type Question struct {
	Program  string
	Unsticky bool
	Depth    int
	Mend     bool   // answer with the program mended, and no verdict
	Schedule string // answer with the rules that these moves break: see Confirm
}

// Answer is what it says.
type Answer struct {
	Program string
	Verdict *Verdict
	Rules   []string
	Err     string
}

// Serve answers questions about programs on the system's disk, in an empty
// directory, until there are no more. It is for a process of its own: the
// victims change what a process has but once.
func Serve(dir string, in io.Reader, out io.Writer) error {
	g, err := NewLinuxGround(dir)
	if err != nil {
		return err
	}
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q Question
		if err := questions.Decode(&q); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := answers.Encode(answer(g, q)); err != nil {
			return err
		}
	}
}

func answer(g Ground, q Question) Answer {
	a := Answer{Program: q.Program}
	p, err := Parse(q.Program)
	if err == nil && q.Mend {
		if p, err = Mended(g, p); err == nil {
			a.Program = p.String()
		}
	} else if err == nil && q.Schedule != "" {
		a.Rules, err = Confirm(g, p, q.Unsticky, q.Schedule)
	} else if err == nil {
		a.Verdict, err = Judge(g, p, q.Unsticky, q.Depth)
	}
	if err != nil {
		a.Err = err.Error()
	}
	return a
}
