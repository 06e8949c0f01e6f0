module github.com/tmpproof/tmpproof/examples/goleak

go 1.26.0

require (
	github.com/tmpproof/tmpproof v0.0.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/spf13/afero v1.15.0 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.39.0 // indirect
)

replace github.com/tmpproof/tmpproof => ../..
