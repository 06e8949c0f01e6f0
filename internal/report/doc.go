// Package report draws what a verdict tool found: as one HTML page that needs
// nothing else, as JSON, and as SARIF for the code-scanning pages of forges.
// Its types are plain data. Who fills them in decides what they mean; nothing
// here judges.
//
// # The JSON
//
// The file holds one Report. Its "schema" is "tmpproof-report" and its
// "version" 1. A field may be added without a new version; one that is removed
// or that changes its meaning makes a new one. Empty fields are left out.
// schema.json, beside this file, is the same as a JSON Schema.
//
// # The page
//
// It opens without a network, and has no script: what can be folded is a
// details element, so that a keyboard and a screen reader reach all of it. It
// follows the reader's choice of light or dark, and fits a phone.
package report
