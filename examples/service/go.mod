module github.com/tmpproof/tmpproof/examples/service

go 1.26.0

replace github.com/tmpproof/tmpproof => ../..

require (
	github.com/tmpproof/tmpproof v0.0.0-00010101000000-000000000000
	go.etcd.io/bbolt v1.5.0
	golang.org/x/sys v0.50.0
)

require (
	github.com/spf13/afero v1.15.0 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/text v0.39.0 // indirect
)
