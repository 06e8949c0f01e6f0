module github.com/tmpproof/tmpproof/examples/bench

go 1.26.0

require (
	github.com/blang/vfs v1.0.0
	github.com/go-git/go-billy/v5 v5.9.2
	github.com/hack-pad/hackpadfs v0.2.4
	github.com/spf13/afero v1.15.0
	github.com/tmpproof/tmpproof v0.0.0
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.49.0
)

require (
	github.com/stretchr/testify v1.12.1 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/text v0.39.0 // indirect
)

replace github.com/tmpproof/tmpproof => ../..
