package supervise

const tableReason = ""

func unknownTable() error { return nil }
