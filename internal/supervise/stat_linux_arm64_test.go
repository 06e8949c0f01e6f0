package supervise

var archOwners map[string]func(path string, fd int) (uint32, uint32, error)
