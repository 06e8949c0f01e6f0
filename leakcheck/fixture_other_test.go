//go:build !linux

package leakcheck

func addMatrix(map[string]fixture)     {}
func addBehaviours(map[string]fixture) {}
func addSources(map[string]fixture)    {}
