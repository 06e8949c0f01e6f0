package attack

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// search runs the schedules that are known, and those that their runs show,
// on as many lanes as there are processors. What the runs came to is taken in
// the order of the schedules, so that the report is the same however many
// lanes there are and whichever of them is the faster.
type search struct {
	e *explorer

	mu      sync.Mutex
	moved   *sync.Cond      // a schedule was taken, or the search is over
	jobs    []job           // in order; what was taken is empty
	next    int             // the first that no lane has begun
	done    int             // the first that was not taken
	lost    map[string]bool // see endsAlike
	roots   map[string]*root
	uses    map[string]bool // schedules that otherUses has added
	planned map[string]bool // schedules with a directory that holds something
	asked   map[string]bool // calls that list a directory, see askEntries
	more    int             // schedules that refine has added
	lanes   int
	most    int // 0: not decided
	over    bool
	err     error
	ended   sync.WaitGroup
}

type job struct {
	schedule []placed
	taught   *plan // see lane
	refined  bool  // see search.refine
	follows  bool  // it is known to the shard alone that ran what it follows from
	result   *result
}

const (
	laneJobs = 64 // schedules that must be waiting for each lane before another one pays
	maxLanes = 8
)

// search tries everything that follows the undisturbed run.
func (e *explorer) search(base *run) error {
	s := &search{e: e, lanes: 1, lost: map[string]bool{}, roots: map[string]*root{}, uses: map[string]bool{}, planned: map[string]bool{}, asked: map[string]bool{}}
	s.moved = sync.NewCond(&s.mu)
	s.extend(base, nil)
	if e.endsEarly() {
		slices.SortStableFunc(s.jobs, func(a, b job) int { return cmp.Compare(likely(b.schedule), likely(a.schedule)) })
	}
	s.bound()
	if e.enough() {
		s.over, e.report.Ended = true, len(s.jobs) > 0
	}
	s.work(e.first)
	s.ended.Wait()
	return s.err
}

// work is one lane.
func (s *search) work(l *lane) { s.loop(s.driven(l), nil) }

// driven tries schedules where the victim is, for as long as that goes well. A
// schedule whose run does not come back is tried again in the usual way, which
// says what became of it.
func (s *search) driven(l *lane) *lane {
	for s.e.opt.fake && s.e.opt.verb == prove {
		w, err := l.get()
		if err != nil {
			return l // which says so
		}
		d := w.(driver)
		switch err := d.drive(func() { s.loop(l, d) }); {
		case err == nil && s.finished():
			return l
		case err == nil: // in another world
		default:
			s.e.worlds.end(w)
			l = &lane{e: s.e, doubts: l.doubts} // what runs on there may use the old one yet
			s.e.first = l
			s.again(l, err)
		}
	}
	return l
}

func (s *search) finished() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over || s.next == s.limit()
}

// again tries the schedule that was begun last, unless there is no more to try.
func (s *search) again(l *lane, why error) {
	s.mu.Lock()
	j := s.jobs[s.next-1]
	s.mu.Unlock()
	res := result{err: why}
	if why == errAstray {
		res = l.attempt(j)
	}
	s.mu.Lock()
	s.post(s.next-1, res)
	s.mu.Unlock()
}

// loop tries one schedule after the other, until none is left or, where in is
// one, the lane has left that world. The victim can end the goroutine in an
// attempt: nothing is held then.
func (s *search) loop(l *lane, in world) {
	for {
		s.mu.Lock()
		for !s.over && s.next == s.limit() && s.done < s.next && len(l.doubts.list) == 0 {
			s.moved.Wait()
		}
		if len(l.doubts.list) > 0 && !s.over && (s.next == s.limit() || l.doubts.enough() || s.e.fresh()) {
			s.mu.Unlock()
			s.settle(l)
			continue
		}
		if s.over || s.next == s.limit() || in != nil && l.world != in {
			s.mu.Unlock()
			return
		}
		i := s.next
		j := s.jobs[i]
		s.next++
		passed := s.passed(j)
		s.mu.Unlock()
		res := result{}
		if !passed {
			if s.e.fresh() && l.doubts.uses > 0 {
				l.drop()
			}
			l.doubts.stale = l.doubts.stale && len(l.doubts.list) > 0
			res = l.attempt(j)
		}
		if !passed && l.doubts.add(i, j, res, s.e.fresh()) {
			continue
		}
		s.mu.Lock()
		if !s.over {
			s.post(i, res)
			if l == s.e.first && !s.over {
				s.widen()
			}
		}
		s.mu.Unlock()
	}
}

// post notes what a schedule came to. mu is held.
func (s *search) post(i int, res result) {
	s.jobs[i].result = &res
	for !s.over && s.done < s.next && s.jobs[s.done].result != nil {
		s.take()
	}
	s.moved.Broadcast()
}

// limit is how many of the known schedules may be run.
func (s *search) limit() int {
	if most := s.e.opt.maxSchedules; most > 0 {
		return min(most, len(s.jobs))
	}
	return len(s.jobs)
}

// take takes over what the oldest schedule came to.
func (s *search) take() {
	e := s.e
	j := s.jobs[s.done]
	s.jobs[s.done] = job{}
	s.done++
	if s.passed(j) {
		return
	}
	r := j.result.run
	for _, p := range j.result.problems {
		e.problem("%s", p)
	}
	if err := j.result.err; err != nil {
		s.over, s.err = true, fmt.Errorf("schedule %s: %w", scheduleString(j.schedule), err)
		return
	}
	e.report.Repeated = e.report.Repeated || j.result.repeated
	if !j.schedule[len(j.schedule)-1].move.asks() { // which tries nothing
		e.report.Schedules++
		if e.opt.ran != nil {
			e.opt.ran(j.schedule)
		}
	}
	if r != nil {
		e.noteOutside(r)
	}
	if j.result.keepsState {
		e.assume(Assumption{assumedState, "the code keeps state in its process", keepsStateWhy})
	}
	if r != nil && e.opt.verb.injects() {
		e.record(r)
		if r.neverEnds() {
			s.lost[endsAlike(j.schedule)] = true
		}
		s.extend(r, j.schedule)
	} else if r != nil && r.asking() {
		s.answer(r, j.schedule)
	} else if r != nil {
		broken := s.records(r) // as it is: a further move would find the same
		news := s.refine(r, j.schedule, broken)
		if !broken && len(j.schedule) < e.opt.depth && (news || !j.refined) {
			s.extend(r, j.schedule)
		}
		if !broken && !r.last {
			e.discover(r)
		}
	}
	if e.covered != nil {
		e.covered.note(j.schedule, r)
	}
	e.progress(s.done, len(s.jobs))
	if s.bound(); !s.over && e.enough() {
		s.over, e.report.Ended = true, true
	}
}

// records takes a run's facts over, and adds the schedules in which what was
// planted does something.
func (s *search) records(r *run) (broken bool) {
	broken = s.e.record(r)
	for _, schedule := range s.e.livelier(r) {
		s.queue(job{schedule: schedule, follows: true})
	}
	return broken
}

// extend adds the schedules that go on from one.
func (s *search) extend(r *run, schedule []placed) {
	if s.e.opt.verb.injects() {
		all, taught := s.e.injections(r, schedule), r.teaches()
		for _, next := range all {
			s.queue(job{schedule: next, taught: taught})
		}
		return
	}
	for _, p := range s.e.extensions(r, schedule) {
		s.queue(job{schedule: append(slices.Clone(schedule), p), taught: s.e.taught(r)})
	}
}

func (s *search) queue(j job) {
	if m := j.schedule[len(j.schedule)-1].move; m.inside != "" { // refine and extend can come to the same
		k := scheduleString(j.schedule)
		if s.planned[k] {
			return
		}
		s.planned[k] = true
	}
	if j.follows || s.e.opt.shard.has(j.schedule, s.e.opt) {
		s.jobs = append(s.jobs, j)
	}
}

// taught is what a run has taught of the names of its way; nil for nothing.
func (e *explorer) taught(r *run) *plan {
	if r.plan == e.plan {
		return nil
	}
	return r.plan
}

// passed says that a schedule need not be run, since an earlier one has not
// come back.
func (s *search) passed(j job) bool { return s.e.opt.verb.injects() && s.lost[endsAlike(j.schedule)] }

// bound ends the search where schedules are left that may not be run.
func (s *search) bound() {
	e, left := s.e, len(s.jobs)-s.done
	switch {
	case s.over || left == 0:
	case e.opt.maxSchedules > 0 && s.done >= e.opt.maxSchedules:
		e.problem("%d schedules were run, %d more are known and were not (Schedules)", s.done, left)
		s.over = true
	case time.Now().After(e.deadline):
		e.problem("the budget is used up after %d schedules; %d more are known and were not tried (%s)", s.done, left, e.opt.budgetBy)
		s.over = true
	}
}

// widen adds lanes when there is work for them.
func (s *search) widen() {
	perLane := laneJobs
	if s.e.opt.lanes > 0 {
		perLane = 0
	}
	for s.limit()-s.next > s.lanes*perLane {
		if s.most == 0 {
			s.mu.Unlock()
			most := s.e.mostLanes()
			s.mu.Lock()
			s.most = most
		}
		if s.over || s.lanes >= s.most {
			return
		}
		l := s.e.spareLane()
		s.lanes++
		s.ended.Go(func() {
			defer l.close()
			if _, err := l.get(); err == nil { // it is a matter of speed only
				s.work(l)
			}
		})
	}
}

// mostLanes is how many there may be: one for each processor, but only one
// for a victim that does not come out the same while another of its kind is
// under way, and for a fake disk: in one process, victims share what they were
// never meant to.
func (e *explorer) mostLanes() int {
	if e.opt.fake {
		return 1
	}
	most := min(runtime.GOMAXPROCS(0), runtime.NumCPU(), maxLanes)
	if e.opt.lanes > 0 {
		most = e.opt.lanes
	}
	if most > 1 && (e.plan.concurrent || e.plan.coarse || !e.independent()) {
		return 1
	}
	return most
}

// looks is at how many of its boundaries the one stands still while the other
// runs.
const looks = 8

// independent says that two victims do not meet: one that runs while another
// stands at a boundary comes out as one that runs alone, and so does the
// other. It is not so where they share a port, a lock, or a file outside of
// the scene.
func (e *explorer) independent() bool {
	alone, err := e.first.execute(nil, true)
	if err != nil {
		return false
	}
	n, same := len(alone.steps), true
	beside, err := e.first.watched(nil, true, func(step int) {
		if every := max(1, (n+looks-1)/looks); !same || (n-1-step)%every != 0 {
			return
		}
		r, err := e.spare.execute(nil, true)
		same = err == nil && r.equals(alone)
	})
	return err == nil && same && beside.equals(alone)
}

// equals says that two undisturbed runs came out the same.
func (r *run) equals(other *run) bool {
	return r.outcome.success() == other.outcome.success() && r.outcome.End == other.outcome.End &&
		len(r.facts) == len(other.facts) && slices.Equal(r.keys(), other.keys()) && sameTargets(r.left, other.left)
}

// spareLane is the lane of the second process, or a new one.
func (e *explorer) spareLane() *lane {
	l := e.spare
	e.spare = &lane{e: e}
	return l
}
