module github.com/tmpproof/tmpproof/examples/safe

go 1.26.0

replace github.com/tmpproof/tmpproof => ../..

require (
	github.com/containerd/continuity v0.5.0
	github.com/cyphar/filepath-securejoin v0.7.0
	github.com/gofrs/flock v0.13.2
	github.com/google/renameio v1.0.1
	github.com/google/renameio/v2 v2.0.2
	github.com/hashicorp/go-safetemp v1.0.0
	github.com/moby/sys/atomicwriter v0.1.0
	github.com/natefinch/atomic v1.0.1
	github.com/otiai10/copy v1.14.1
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
	github.com/spf13/afero v1.15.0
	github.com/stretchr/testify v1.12.1
	github.com/tmpproof/tmpproof v0.0.0-00010101000000-000000000000
	golang.org/x/sys v0.49.0
	tailscale.com v1.80.3
)

require (
	cyphar.com/go-pathrs v0.2.5 // indirect
	github.com/Microsoft/go-winio v0.6.2 // indirect
	github.com/containerd/log v0.1.0 // indirect
	github.com/moby/sys/sequential v0.6.0 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/otiai10/mint v1.6.3 // indirect
	github.com/sirupsen/logrus v1.9.3 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sync v0.21.0 // indirect
	golang.org/x/text v0.39.0 // indirect
	google.golang.org/protobuf v1.35.1 // indirect
)
