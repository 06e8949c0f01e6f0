module github.com/tmpproof/tmpproof/examples/bench

go 1.26.0

require github.com/tmpproof/tmpproof v0.0.0-00010101000000-000000000000

require (
	github.com/stretchr/testify v1.12.1 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/tmpproof/tmpproof => ../..
