package report

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Schema and Version name the form of the JSON.
const (
	Schema  = "tmpproof-report"
	Version = 1
)

// The verdicts.
const (
	Broken       = "broken"       // at least one finding
	Clean        = "clean"        // no finding in all that there is to try
	Inconclusive = "inconclusive" // something was not tried: see Problems
	NotWon       = "not won"      // a race without a win, which is no proof
	Untried      = "untried"      // no finding, but there was nothing to try: see Untried
)

// Report is one verdict on one test.
type Report struct {
	Schema     string    `json:"schema"`
	Version    int       `json:"version"`
	Tool       string    `json:"tool"` // "attack.Prove"
	Test       string    `json:"test"`
	Package    string    `json:"package,omitempty"` // import path
	Verdict    string    `json:"verdict"`
	Complete   bool      `json:"complete"`
	Shard      string    `json:"shard,omitempty"` // "1/2"
	Boundaries int       `json:"boundaries"`
	Schedules  int       `json:"schedules"`
	Seconds    float64   `json:"seconds"`
	Problems   []string  `json:"problems,omitempty"`
	Odds       *Odds     `json:"odds,omitempty"`
	Findings   []Finding `json:"findings,omitempty"`
	Matrix     *Matrix   `json:"matrix,omitempty"`
	Untried    string    `json:"untried,omitempty"` // why nothing was tried

	Assumptions []Assumption `json:"assumptions,omitempty"`
}

// Assumption is something that the verdict takes for granted, or leaves out.
type Assumption struct {
	Kind string `json:"kind"` // as attack.Assumption has it
	What string `json:"what"`
	Why  string `json:"why"`
}

// Odds is a race in numbers; the bounds hold with 95 % confidence each.
type Odds struct {
	Attempts int     `json:"attempts"`
	Hits     int     `json:"hits"`
	Wins     int     `json:"wins"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// Finding is a broken rule with its evidence.
type Finding struct {
	Rule     string   `json:"rule"`
	Title    string   `json:"title"`
	CWE      []int    `json:"cwe,omitempty"`
	CERT     []string `json:"cert,omitempty"`
	Fix      string   `json:"fix,omitempty"`
	Exploit  bool     `json:"exploit"` // carried out, and the damage seen
	Path     string   `json:"path,omitempty"`
	Name     string   `json:"name,omitempty"`
	Line     string   `json:"line,omitempty"` // "file.go:12 < caller.go:3"
	Detail   string   `json:"detail"`
	Schedule string   `json:"schedule,omitempty"`
	Command  string   `json:"command,omitempty"` // repeats it
	Count    int      `json:"count"`             // schedules with the same cause
	Events   []Event  `json:"events,omitempty"`
	Source   *Source  `json:"source,omitempty"`
}

// Event is a call of the victim, or a move of the attacker.
type Event struct {
	Call   string `json:"call,omitempty"`
	Path   string `json:"path,omitempty"`
	Found  string `json:"found,omitempty"`
	Line   string `json:"line,omitempty"`
	Move   string `json:"move,omitempty"`
	Damage string `json:"damage,omitempty"`
}

// Source is an excerpt of the victim's code.
type Source struct {
	File  string   `json:"file"`  // relative to the module's root where it is in it
	Line  int      `json:"line"`  // the one that is meant
	First int      `json:"first"` // number of the first of Lines
	Lines []string `json:"lines"`
}

// Matrix is what was tried where: a row for each boundary, a column for each
// move.
type Matrix struct {
	Moves []string `json:"moves"`
	Rows  []Row    `json:"rows"`
	Notes []string `json:"notes,omitempty"` // why some were not tried
}

// Row is one boundary.
type Row struct {
	Call  string `json:"call"`
	Path  string `json:"path"`
	Line  string `json:"line"`
	N     int    `json:"n"` // occurrence
	Cells []Cell `json:"cells"`
}

// Cell is a move at a boundary. Both zero: it was not tried, being beyond the
// attacker's powers or knowledge there.
type Cell struct {
	Tried int `json:"tried,omitempty"` // schedules that end with it
	Found int `json:"found,omitempty"` // of these: broke the victim
}

// Write makes base.html, base.json and base.sarif in a directory.
func Write(dir, base string, r *Report) error {
	r.Schema, r.Version = Schema, Version
	write := func(ext string, draw func(io.Writer, *Report) error) error {
		f, err := os.Create(filepath.Join(dir, base+ext))
		if err != nil {
			return err
		}
		return errors.Join(draw(f, r), f.Close())
	}
	return errors.Join(write(".html", HTML), write(".json", JSON), write(".sarif", SARIF))
}

// JSON writes the report as JSON.
func JSON(w io.Writer, r *Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
