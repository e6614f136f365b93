"""Classes and functions of the main script in behaviors: every interpreter has the same ones, also on the way back."""

from __future__ import annotations

import textwrap

import pytest
from boc_testing import output_of

PROLOGUE = """
import sys
from bocpy import Cown, TransferError, quiesce, wait, when, whencall

def ask(function, *cowns):
    return when(*cowns)(function).result()
"""

# Each program prints "ok" where everything in it was as it should be.
PROGRAMS = {
    "identity both ways": """
        class Point:
            def __init__(self, x): self.x = x
            def doubled(self): return Point(2 * self.x)
        c = Cown(Point(1))
        def work(c):
            assert type(c.value) is Point
            c.value = c.value.doubled()
            return [c.value.doubled(), Point]
        made, cls = ask(work, c)
        assert type(made) is Point and cls is Point and made.x == 4
        assert type(c.result()) is Point
        """,
    "from one worker to the next": """
        class Item:
            def __init__(self): self.n = 0
        cowns = [Cown(Item()) for _ in range(8)]
        def swap(a, b):
            assert type(a.value) is type(b.value) is Item
            a.value.n, b.value.n = b.value.n + 1, a.value.n + 1
        for i in range(64):
            when(cowns[i % 8], cowns[(3 * i + 1) % 8])(swap)
        wait()
        assert all(type(c.value) is Item for c in cowns)
        """,
    "inheritance and super": """
        class Base:
            count = 3
            def name(self): return "base"
            @classmethod
            def make(cls): return cls()
            @staticmethod
            def twice(x): return 2 * x
            @property
            def three(self): return self.count
        class Derived(Base):
            def name(self): return super().name() + "+derived"
        c = Cown(Derived())
        def work(c):
            v = c.value
            return v.name(), type(v.make()) is Derived, v.twice(4), v.three, isinstance(v, Base), v.__class__.__mro__
        assert ask(work, c) == ("base+derived", True, 8, 3, True, Derived.__mro__)
        """,
    "enumerations": """
        import enum
        class Color(enum.Enum):
            RED = 1
            GREEN = [2]
            def other(self): return Color.GREEN if self is Color.RED else Color.RED
        class Perm(enum.Flag):
            R = 4; W = 2; RW = 6
        class Level(enum.IntEnum):
            LOW = 1
        c = Cown([Color.RED, Perm.R, Level.LOW])
        def work(c):
            color, perm, level = c.value
            assert color is Color.RED and color == Color(1) and perm in Perm.RW and level is Level.LOW
            return color.other(), perm | Perm.W, level + 1
        color, perm, level = ask(work, c)
        assert color is Color.GREEN and perm is Perm.RW and level == 2
        """,
    "dataclasses": """
        from dataclasses import dataclass, field, replace
        @dataclass
        class Plain:
            a: int
            b: list = field(default_factory=list)
        @dataclass(frozen=True, slots=True, order=True)
        class Frozen:
            a: int
        c = Cown(Plain(1, [Frozen(2)]))
        def work(c):
            v = c.value
            assert repr(v) == "Plain(a=1, b=[Frozen(a=2)])" and Plain(5).b == []
            assert v.b[0] == Frozen(2) < Frozen(3) and hash(v.b[0]) == hash(Frozen(2))
            try: v.b[0].a = 1
            except AttributeError: pass
            else: raise AssertionError
            return replace(v, a=7)
        assert ask(work, c) == Plain(7, [Frozen(2)])
        """,
    "named tuples": """
        import collections
        from typing import NamedTuple
        Old = collections.namedtuple("Old", "x y", defaults=[5])
        class New(NamedTuple):
            p: int
            q: str = "q"
            def both(self): return f"{self.p}{self.q}"
        c = Cown([Old(1), New(2)])
        def work(c):
            old, new = c.value
            return old._replace(x=3), new.both(), New(9)
        old, both, new = ask(work, c)
        assert type(old) is Old and old == (3, 5) and both == "2q" and type(new) is New
        """,
    "slots": """
        class Slots:
            __slots__ = ("a", "__b")
            def __init__(self): self.a, self.__b = 1, [2]
            def b(self): return self.__b
        c = Cown(Slots())
        def work(c):
            assert not hasattr(c.value, "__dict__")
            c.value.a = c.value.b()
        ask(work, c)
        v = c.result()
        assert type(v) is Slots and v.a is v.b() and v.a == [2]
        """,
    "generics": """
        from typing import Generic, Protocol, TypeVar, runtime_checkable
        T = TypeVar("T")
        class Box(Generic[T]):
            def __init__(self, v: T) -> None: self.v = v
        class IntBox(Box[int]): pass
        @runtime_checkable
        class Quacks(Protocol):
            def quack(self) -> str: ...
        class Duck:
            def quack(self): return "q"
        def work(c):
            return isinstance(c.value, Box), Box[int](5).v, isinstance(Duck(), Quacks), IntBox(3)
        a, b, d, box = ask(work, Cown(IntBox(1)))
        assert (a, b, d) == (True, 5, True) and type(box) is IntBox
        """,
    "metaclasses and hooks run once": """
        made = []
        class Meta(type):
            def __new__(m, name, bases, ns, **kw):
                made.append(name)
                return super().__new__(m, name, bases, ns)
            def __init__(cls, name, bases, ns, **kw): super().__init__(name, bases, ns); cls.options = kw
            def __len__(cls): return 42
        class Hooked(metaclass=Meta, size=1):
            def __init_subclass__(cls, **kw): cls.kw = kw
        class Sub(Hooked, flavor="x"): pass
        def work(c): return Sub.options, Hooked.options, len(Sub), type(Sub) is Meta, list(made), type(c.value) is Sub
        assert ask(work, Cown(Sub())) == ({"flavor": "x"}, {"size": 1}, 42, True, ["Hooked", "Sub"], True)
        """,
    "abstract classes": """
        import abc
        class Abstract(abc.ABC):
            @abc.abstractmethod
            def f(self): ...
        class Concrete(Abstract):
            def f(self): return 1
        def work(c):
            try: Abstract()
            except TypeError: pass
            else: raise AssertionError
            return isinstance(c.value, Abstract), c.value.f()
        assert ask(work, Cown(Concrete())) == (True, 1)
        """,
    "classes that know themselves": """
        class Node:
            ROOT = None
            def __init__(self, v): self.v = v
            def __reduce__(self): return remake, (self.v,)
            def __eq__(self, other): return type(other) is Node and other.v == self.v
            def __hash__(self): return hash(self.v) + SALT
        def remake(v): return Node(v)
        SALT = 3
        Node.ROOT = Node("root")
        class Left:
            def right(self): return Right()
        class Right(Left):
            def left(self): return Left()
        def work(c):
            node, left = c.value
            assert {node: 1}[Node(1)] == 1 and type(Node.ROOT) is Node and Node.ROOT.v == "root"
            return node, left.right(), left.right().left()
        node, right, left = ask(work, Cown([Node(1), Left()]))
        assert type(node) is Node and type(right) is Right and type(left) is Left
        """,
    "exceptions": """
        class Odd(Exception):
            def __init__(self, a, b):
                super().__init__(f"{a}-{b}")
                self.a = a
        def fail(c): raise Odd(1, c.value)
        result = when(Cown(2))(fail)
        try: result.result()
        except Odd as error: assert error.args == ("1-2",) and error.a == 1 and type(error) is Odd
        else: raise AssertionError
        def catch(c):
            try: raise c.value
            except Odd as error: return error.a
        assert ask(catch, Cown(Odd(5, 6))) == 5
        """,
    "helpers, recursion and caches": """
        import functools
        def even(n): return n == 0 or odd(n - 1)
        def odd(n): return n != 0 and even(n - 1)
        @functools.lru_cache
        def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
        @functools.singledispatch
        def show(x): return "object"
        @show.register(int)
        def _(x): return "int"
        @show.register(list)
        def _(x): return [show(i) for i in x]
        def logged(f):
            @functools.wraps(f)
            def wrapper(*args, **kwargs): return "logged", f(*args, **kwargs)
            return wrapper
        @logged
        def add(a, b=2): return a + b
        part = functools.partial(add, 5)
        square = lambda x: x * x
        def work(): return even(10), fib(30), show([1, "x"]), add(1), part(), square(7)
        assert ask(work) == (True, 832040, ["int", "object"], ("logged", 3), ("logged", 7), 49)
        """,
    "globals are those of the moment": """
        rate, table = 1, {"a": 1}
        class Account:
            def fee(self): return rate
        def helper(): return rate, dict(table)
        c = Cown(Account())
        def work(c): return helper(), c.value.fee()
        assert ask(work, c) == ((1, {"a": 1}), 1)
        rate = 2
        table["b"] = 2
        assert ask(work, c) == ((2, {"a": 1, "b": 2}), 2)
        """,
    "a helper that is defined after the value was given away": """
        class Account:
            def pay(self): return tax()
        c = Cown(Account())
        def tax(): return 5
        assert ask(lambda c: c.value.pay(), c) == 5
        def tax(): return 6
        assert ask(lambda c: c.value.pay(), c) == 6
        """,
    "a class that is defined again is another class": """
        class A: n = 1
        first = Cown(A())
        Old = A
        class A: n = 2
        second = Cown(A())
        def work(a, b): return a.value.n, b.value.n, type(a.value) is A, type(b.value) is A
        assert ask(work, first, second) == (1, 2, False, True)
        assert type(first.result()) is Old and type(second.result()) is A
        """,
    "classes made in behaviors come back": """
        def work():
            class Made:
                def f(self): return 5
            return Made(), Made
        v, cls = ask(work)
        assert type(v) is cls and v.f() == 5
        def again(c): return c.value, type(c.value)
        w, cls2 = ask(again, Cown(v))
        assert cls2 is cls and type(w) is cls
        """,
    "local classes and closures": """
        def make(n):
            class A:
                def get(self): return n, B
            class B(A):
                def get(self): return super().get()
            return B
        One, Two = make(1), make(2)
        def work(c):
            a, b = c.value
            return a.get(), b.get(), type(a) is One, type(b) is Two
        assert ask(work, Cown([One(), Two()])) == ((1, One), (2, Two), True, True)
        def counter():
            n = 0
            def add():
                nonlocal n
                n += 1
            return add, lambda: n
        add, get = counter()
        def count():
            add(); add()
            return get()
        whencall(count, []).result()
        """,
    "cowns in globals, classes and closures": """
        total = Cown(0)
        class Holder:
            total = total
            def add(self, n):
                @when(total)
                def behavior(total): total.value += n
        def work(c):
            c.value.add(2)
            assert c.value.total == total
        when(Cown(Holder()))(work)
        quiesce()
        assert total.result() == 2
        """,
    "unused globals that cannot be carried": """
        import threading
        lock = threading.Lock()
        generator = (i for i in "abc")
        class A:
            lock = threading.Lock()
            def f(self, use): return lock if use else 1
        def helper(use): return generator if use else 2
        def work(c): return c.value.f(False), helper(False)
        assert ask(work, Cown(A())) == (1, 2)
        """,
    "globals that are missing": """
        def work():
            try: return not_there
            except NameError as error: return error.name
        assert ask(work) == "not_there"
        """,
    "type statements": """
        if sys.version_info >= (3, 12):
            names = {}
            exec("class Box[T]:\\n  def name(self): return T.__name__\\ntype Alias[X] = list[X]", names)
            Box, Alias = names["Box"], names["Alias"]
            def work(c): return c.value.name(), Alias
            assert ask(work, Cown(Box())) == ("T", Alias)
        """,
}


def program(name: str) -> str:
    return PROLOGUE + textwrap.dedent(PROGRAMS[name]) + "\nprint('ok')\n"


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_a_file(name: str) -> None:
    assert output_of(program(name)) == "ok\n"


@pytest.mark.parametrize("how", ["-c", "-m", "stdin"])
@pytest.mark.parametrize("name", ["identity both ways", "enumerations", "helpers, recursion and caches"])
def test_other_ways_to_start(name: str, how: str) -> None:
    assert output_of(program(name), how=how) == "ok\n"


def test_the_script_is_not_run_again() -> None:
    source = PROLOGUE + textwrap.dedent(
        """
        print("started")
        class A: pass
        assert type(ask(lambda c: c.value, Cown(A()))) is A
        """
    )
    assert output_of(source) == "started\n"
