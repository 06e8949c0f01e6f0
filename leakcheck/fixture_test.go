package leakcheck

import "testing"

func one(name string, f func(t *testing.T)) testing.InternalTest {
	return testing.InternalTest{Name: name, F: f}
}

func fixtures() map[string]fixture {
	all := map[string]fixture{}
	addMatrix(all)
	addBehaviours(all)
	addSources(all)
	return all
}
