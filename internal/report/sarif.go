package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// SARIF writes the findings in the Static Analysis Results Interchange Format
// 2.1.0 (OASIS), with each interleaving as a code flow.
func SARIF(w io.Writer, r *Report) error {
	type m = map[string]any
	text := func(s string) m { return m{"text": s} }
	rules, index := []m{}, map[string]int{}
	results := []m{}
	for _, f := range r.Findings {
		if _, ok := index[f.Rule]; !ok {
			index[f.Rule] = len(rules)
			tags := []string{"security"}
			for _, n := range f.CWE {
				tags = append(tags, fmt.Sprintf("external/cwe/cwe-%d", n))
			}
			tags = append(tags, f.CERT...)
			rule := m{"id": f.Rule, "shortDescription": text(f.Title), "properties": m{"tags": tags}}
			if f.Fix != "" {
				rule["help"] = text(f.Fix)
			}
			rules = append(rules, rule)
		}
		level := "warning"
		if f.Exploit {
			level = "error"
		}
		result := m{"ruleId": f.Rule, "ruleIndex": index[f.Rule], "level": level, "message": text(sentence(f)),
			"partialFingerprints": m{"tmpproof/v1": f.Rule + " " + f.Line}}
		at := f.location()
		if at != nil {
			result["locations"] = []m{at}
		}
		var flow []m
		for _, e := range f.Events {
			place := m{"message": text(e.sentence())}
			if at != nil && e.Line != "" && strings.HasPrefix(f.Line, e.Line) {
				place["physicalLocation"] = at["physicalLocation"]
			}
			flow = append(flow, m{"location": place})
		}
		if len(flow) > 0 {
			result["codeFlows"] = []m{{"threadFlows": []m{{"locations": flow}}}}
		}
		if f.Command != "" {
			result["properties"] = m{"replay": f.Command}
		}
		results = append(results, result)
	}
	var notes []m
	for _, p := range r.Problems {
		notes = append(notes, m{"level": "error", "message": text(p)})
	}
	invocation := m{"executionSuccessful": len(r.Problems) == 0}
	if notes != nil {
		invocation["toolExecutionNotifications"] = notes
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(m{
		"version": "2.1.0",
		"$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		"runs": []m{{
			"tool":        m{"driver": m{"name": "tmpproof", "informationUri": "https://github.com/tmpproof/tmpproof", "rules": rules}},
			"invocations": []m{invocation},
			"results":     results,
		}},
	})
}

func sentence(f Finding) string {
	s := f.Detail
	if f.Line != "" {
		s += " (" + f.Line + ")"
	}
	return s
}

// location is the physical location that SARIF wants; nil where the file is
// not known.
func (f Finding) location() map[string]any {
	if f.Source == nil {
		return nil
	}
	return map[string]any{"physicalLocation": map[string]any{
		"artifactLocation": map[string]any{"uri": f.Source.File, "uriBaseId": "%SRCROOT%"},
		"region":           map[string]any{"startLine": f.Source.Line},
	}}
}

func (e Event) sentence() string {
	var parts []string
	if e.Call != "" {
		s := "victim: " + e.Call
		if e.Path != "" {
			s += " " + e.Path
		}
		if e.Found != "" {
			s += " (" + e.Found + ")"
		}
		parts = append(parts, s)
	}
	if e.Move != "" {
		parts = append(parts, "attacker: "+e.Move)
	}
	if e.Damage != "" {
		parts = append(parts, "damage: "+e.Damage)
	}
	return strings.Join(parts, "; ")
}
