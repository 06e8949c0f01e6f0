package supervise

import "runtime"

var tableReason = "unsupported true: self-test: no source line: the line table of " + runtime.Version() +
	" is of a kind that is not understood (magic 0xfffffff7)"

// unknownTable is what a later release of Go may bring.
func unknownTable() error {
	frameTable = func() (*ownTable, error) {
		b := make([]byte, 128)
		b[0], b[1], b[2], b[3], b[7] = 0xf7, 0xff, 0xff, 0xff, 8
		return parseTable(b)
	}
	return nil
}
