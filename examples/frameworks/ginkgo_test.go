package notes

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// specT is the test that the specs run in. A verb wants it, not GinkgoT: it runs
// the test again, up to the same call.
var specT *testing.T

func TestSpecs(t *testing.T) {
	specT = t
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.RandomSeed = 1 // the same order in each process
	RunSpecs(t, "notes", suite, reporter)
}

var _ = Describe("a note", func() {
	It("cannot be attacked while it is saved", func() {
		report := attack.Prove(specT, func(s *attack.Scene) error {
			return Save(afero.NewOsFs(), s.Path("note"), "text")
		}, attack.Target("note"), attack.ReportOnly())
		Expect(report.Findings).To(BeEmpty())
	})
	It("is whole when the disk is full", func() {
		report := attack.Faults(specT, func(s *attack.Scene) error {
			return Save(s.FS, s.Path("note"), "text")
		}, attack.Target("note"), attack.ReportOnly())
		Expect(report.Findings).To(BeEmpty())
	})
	It("can be attacked when it is saved in a hurry", func() {
		report := attack.Prove(specT, func(s *attack.Scene) error {
			return HastySave(s.FS, s.Path("note"), "text")
		}, attack.Target("note"), attack.ReportOnly())
		Expect(report.Findings).To(ContainElement(HaveField("Rule", rules.X01)))
	})
})
