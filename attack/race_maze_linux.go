package attack

import (
	"path"
	"strconv"
	"strings"
)

// A maze makes one lookup slow: a symbolic link whose body goes in and out of a
// directory some hundred times, and on to the next such link, until the
// kernel's limit for links is nearly reached. What lies behind it is the
// attacker's to change while the victim is still on its way: Borisov, Johnson,
// Sastry and Wagner, Fixing Races for Fun and Profit, USENIX Security 2005.

const (
	dirMaze  = "maze" // a part of the scene, the attacker's
	mazeRoom = dirMaze + "/d"
	mazeEnd  = dirAttic + "/end"
	// mazeLinks is less than the 40 links of one lookup by what the way to the
	// maze and the end of it need.
	mazeLinks = 34
	mazeTurns = 800 // in and out; 5 bytes each of the 4095 that a link holds
)

// mazeDoor is the link from which so many are to be followed, itself included.
func mazeDoor(links int) string { return dirMaze + "/" + strconv.Itoa(mazeLinks-links) }

// buildMaze makes the maze where it is not there.
func buildMaze(d disk) error {
	if d.stat(mazeRoom).exists() {
		return nil
	}
	if err := d.mkdir(dirMaze, 0o755); err != nil {
		return err
	}
	if err := d.mkdir(mazeRoom, 0o755); err != nil {
		return err
	}
	turns := strings.Repeat("d/../", mazeTurns)
	for i := range mazeLinks {
		next := strconv.Itoa(i + 1)
		if i == mazeLinks-1 {
			next = path.Join("..", mazeEnd)
		}
		if err := d.symlink(turns+next, dirMaze+"/"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return d.age(".") // its own act is not the victim's
}
