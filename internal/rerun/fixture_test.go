package rerun

func fixtures() map[string]fixture { return nil }
