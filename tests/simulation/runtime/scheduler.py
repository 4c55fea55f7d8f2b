"""Tasks of many processes in one thread: virtual time decides who goes on."""

from collections.abc import Callable
from datetime import datetime, timedelta
from heapq import heappop, heappush

from greenlet import getcurrent, greenlet

from tests.support.fakes.runtime.clock import START

Act = Callable[[], None]


LIMIT_TURNS = 50_000
"""Some hundred times what a world takes."""


class Endless(Exception):
    """The world goes round and round."""


class Killed(BaseException):
    """The process is dead: nothing of it runs on."""


class Instance:
    """One process: it lives, stands still for a while, or is dead; its clock may be wrong."""

    def __init__(self, name: str, skew_seconds: float = 0.0) -> None:
        self.name = name
        self.skew_seconds = skew_seconds
        self.alive = True
        self.idle = True
        self.resumes_at = 0.0
        self.stood_still: list[tuple[float, float]] = []
        """From when to when, in the scheduler's time."""

    def standstill_since(self, moment: float, now: float) -> float:
        """Seconds of standing still between two moments."""
        return sum(max(0.0, min(end, now) - max(start, moment)) for start, end in self.stood_still)


class Task:
    """What an instance does in one line of execution."""

    __slots__ = ("has_ended", "instance", "line", "wakes", "work")

    def __init__(self, instance: Instance, work: Act) -> None:
        self.instance = instance
        self.work = work
        self.wakes = 0
        """Counts its wakings: an alarm that was set for an earlier one is void."""
        self.line: greenlet | None = None
        """None before it has begun."""
        self.has_ended = False


class Scheduler:
    """Runs what is due, in order of time, until nothing is or the time is over."""

    def __init__(self) -> None:
        self.now = 0.0
        self.current: Task | None = None
        self._time_of, self._time = 0.0, START
        self._until = 0.0
        self._ended = False
        self._order = 0
        self._turns = 0
        self._alarms: list[tuple[float, int, Task | Act, int]] = []
        self._loop = getcurrent()
        self._tasks: list[Task] = []
        self._over: list[Task] = []
        """Have ended since the loop went on last."""
        self._free: list[greenlet] = []
        """Lines whose task has ended: the next one costs less than a line of its own would."""

    def time(self) -> datetime:
        """The true time, which no process knows."""
        if self._time_of != self.now:
            self._time_of, self._time = self.now, START + timedelta(seconds=self.now)
        return self._time

    def spawn(self, instance: Instance, work: Act) -> Task:
        """Begin a task of an instance, at once."""
        task = Task(instance, work)
        self._tasks.append(task)
        self._set_alarm(self.now, task)
        return task

    def at(self, seconds: float, act: Act) -> None:
        """Let something happen in the world after that many seconds."""
        self._order += 1
        heappush(self._alarms, (self.now + seconds, self._order, act, 0))

    def sleep(self, seconds: float) -> None:
        """Go on after that many seconds, and not while the instance stands still.

        Raises: Killed, when the instance has died meanwhile.
        """
        task = self.current
        if task is None:
            raise AssertionError("only a task can sleep")
        due, instance = self.now + seconds, task.instance
        undisturbed = not self._alarms or self._alarms[0][0] > due
        if undisturbed and instance.resumes_at <= due <= self._until:
            self.now = due
        else:
            self._order += 1
            heappush(self._alarms, (due, self._order, task, task.wakes))
            self._let_others_go_on(task)
        if not instance.alive:
            raise Killed

    def _let_others_go_on(self, task: Task) -> None:
        """Return when it is this task's turn again.

        Where a task is the next, it goes on without the loop: half the switches.
        """
        due, _, what, wakes = self._alarms[0]
        if type(what) is Task and wakes == what.wakes and not self._ended:
            is_ready = not what.has_ended and (what.instance.resumes_at <= due or not what.instance.alive)
            if is_ready and due <= self._until and self._turns < LIMIT_TURNS:
                heappop(self._alarms)
                self._turns += 1
                if due > self.now:
                    self.now = due
                what.wakes += 1
                self.current = what
                if what is not task:
                    self._line_of(what).switch(what)
                return
        self._loop.switch()

    def wake(self, task: Task) -> None:
        """Let a sleeping task go on at once."""
        self._set_alarm(self.now, task)

    def stand_still(self, instance: Instance, seconds: float) -> None:
        """Let a process stop in the middle of whatever it does."""
        instance.stood_still.append((self.now, self.now + seconds))
        instance.resumes_at = max(instance.resumes_at, self.now + seconds)

    def kill(self, instance: Instance) -> None:
        """Let a process die; its lines of execution end where they stand."""
        instance.alive = False
        for task in self._tasks:
            if task.instance is instance and task is not self.current:
                self._set_alarm(self.now, task)

    def end(self) -> None:
        """Let `run` return."""
        self._ended = True

    def run(self, until: float) -> None:
        """Run until then, until `end`, or until nothing is due."""
        self._until, self._ended = until, False
        alarms = self._alarms
        while alarms and not self._ended:
            self._turns += 1
            if self._turns > LIMIT_TURNS:
                raise Endless(f"{LIMIT_TURNS} turns, and no end at {self.now:.0f} s")
            if alarms[0][0] > until:
                break
            due, _, what, wakes = heappop(alarms)
            if due > self.now:
                self.now = due
            if isinstance(what, Task):
                self._go_on(what, wakes)
            else:
                what()

    def abandon(self) -> None:
        """Kill whatever still runs, so that no line of execution outlives its world."""
        self._ended = True
        for task in self._tasks:
            task.instance.alive = False
            if task.line is not None and not task.has_ended:
                self.current = task
                task.line.throw(Killed)
                self._free.append(task.line)
        self.current = None
        for line in self._free:
            line.throw()
        self._free.clear()
        self._over.clear()
        self._tasks.clear()
        self._alarms.clear()

    def _go_on(self, task: Task, wakes: int) -> None:
        if wakes != task.wakes or task.has_ended:
            return
        instance = task.instance
        if instance.alive and instance.resumes_at > self.now:
            self._set_alarm(instance.resumes_at, task)
            return
        task.wakes += 1
        self.current = task
        try:
            self._line_of(task).switch(task)
        finally:
            self.current = None
        for ended in self._over:
            self._tasks.remove(ended)
            if ended.line is not None:
                self._free.append(ended.line)
        self._over.clear()

    def _line_of(self, task: Task) -> greenlet:
        if task.line is None:
            task.line = self._free.pop() if self._free else greenlet(self._live, self._loop)
        return task.line

    def _live(self, task: Task) -> None:
        """One line: a task, and when it has ended the next one."""
        while True:
            try:
                task.work()
            except Killed:
                pass
            finally:
                task.has_ended = True
                self._over.append(task)
            task = self._loop.switch()

    def _set_alarm(self, due: float, task: Task) -> None:
        self._order += 1
        heappush(self._alarms, (due, self._order, task, task.wakes))


class TrueClock:
    """The time as it is: the store's, and the platform's."""

    now: Callable[[], datetime]
    """The true time, aware UTC."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.now = scheduler.time  # by itself: every read and write of a store asks for it

    def monotonic(self) -> float:
        """Seconds since the world began."""
        return self._scheduler.now

    def sleep(self, seconds: float) -> None:
        """Never asked for: the world waits for nobody."""
        raise AssertionError("the world does not sleep")


class InstanceClock:
    """The time as one process believes it to be."""

    def __init__(self, scheduler: Scheduler, instance: Instance) -> None:
        self._scheduler = scheduler
        self._instance = instance

    def now(self) -> datetime:
        """The time, as wrong as the instance's clock is."""
        skew = self._instance.skew_seconds
        return self._scheduler.time() + timedelta(seconds=skew) if skew else self._scheduler.time()

    def monotonic(self) -> float:
        """Seconds since some moment, from 1000 on."""
        return 1000.0 + self._scheduler.now

    def sleep(self, seconds: float) -> None:
        """Go on after that many seconds."""
        self._scheduler.sleep(max(0.0, seconds))
