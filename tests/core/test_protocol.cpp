// The protocol alone, step by step on one thread.
#include "check.h"
#include "raw.h"

using namespace raw;

TEST(protocol, prepare_sorts_and_merges_duplicates) {
  Cell cells[3];
  Step s{read(cells[2]), write(cells[0]), read(cells[1]), write(cells[2]), read(cells[1])};
  auto all = s.acquired();
  for (size_t i = 1; i < all.size(); ++i) CHECK(all[i - 1].cown <= all[i].cown);
  CHECK_EQ(s.countdown.load(), 4u);  // three cowns, and the scheduler's own
  int duplicates = 0;
  for (Request& r : all) duplicates += r.duplicate();
  CHECK_EQ(duplicates, 2);
  CHECK(!s.find(&cells[2])->reads() && !s.find(&cells[2])->duplicate());  // the strongest mode stands for both
  CHECK(s.find(&cells[1])->reads());
  Cell other;
  CHECK(s.find(&other) == nullptr);
}

TEST(protocol, without_cowns) {
  Run run;
  Step s{};
  run.schedule(s);
  CHECK(run.ready() == Ready{&s});
  run.release(s);
  CHECK(run.ready().empty());
}

TEST(protocol, writers_one_after_the_other) {
  Run run;
  Cell c;
  Step a{write(c)}, b{write(c), write(c)}, d{write(c)};
  run.schedule(a);
  run.schedule(b);
  run.schedule(d);
  CHECK(run.ready() == Ready{&a});
  CHECK_EQ(c.refs.load(), 2u);  // C2
  run.release(a);
  CHECK(run.ready() == Ready{&b});
  run.release(b);
  CHECK(run.ready() == Ready{&d});
  run.release(d);
  CHECK(run.ready().empty());
  CHECK(untouched(c));
  CHECK_EQ(run.dead(), 0);
}

TEST(protocol, waits_for_all_its_cowns) {
  Run run;
  Cell x, y;
  Step a{write(x)}, b{write(y)}, both{write(y), write(x)}, after{write(x)};
  run.schedule(a);
  run.schedule(b);
  run.schedule(both);
  run.schedule(after);
  CHECK((run.ready() == Ready{&a, &b}));
  run.release(b);
  CHECK(run.ready().empty());
  run.release(a);
  CHECK(run.ready() == Ready{&both});
  run.release(both);
  CHECK(run.ready() == Ready{&after});
  run.release(after);
  CHECK(untouched(x) && untouched(y));
}

// W R R W R: the readers run together, the writer after both, the last reader after the writer.
TEST(protocol, cascade_behind_a_writer) {
  Run run;
  Cell c;
  Step w1{write(c)}, r1{read(c)}, r2{read(c)}, w2{write(c)}, r3{read(c)};
  for (Step* s : {&w1, &r1, &r2, &w2, &r3}) run.schedule(*s);
  CHECK(run.ready() == Ready{&w1});
  run.release(w1);
  CHECK((run.ready() == Ready{&r1, &r2}));
  CHECK_EQ(c.readers.load(), 5u);  // C3
  run.release(r2);
  CHECK(run.ready().empty());
  run.release(r1);
  CHECK(run.ready() == Ready{&w2});
  run.release(w2);
  CHECK(run.ready() == Ready{&r3});
  run.release(r3);
  CHECK(untouched(c));
}

TEST(protocol, readers_join_those_that_read_already) {
  Run run;
  Cell c;
  Step r1{read(c)}, r2{read(c)}, r3{read(c)}, w{write(c)}, late{read(c)};
  run.schedule(r1);
  run.schedule(r2);
  CHECK((run.ready() == Ready{&r1, &r2}));
  run.release(r1);
  run.schedule(r3);
  CHECK(run.ready() == Ready{&r3});
  run.schedule(w);
  run.schedule(late);  // not past the writer
  CHECK(run.ready().empty());
  run.release(r3);
  CHECK(run.ready().empty());
  run.release(r2);
  CHECK(run.ready() == Ready{&w});
  run.release(w);
  CHECK(run.ready() == Ready{&late});
  run.release(late);
  CHECK(untouched(c));
}

// The queue is empty, but a reader that has left it is still active: a writer must wait for it all the same.
TEST(protocol, writer_behind_readers_that_left_the_queue) {
  Run run;
  Cell c;
  Step r1{read(c)}, r2{read(c)}, w{write(c)};
  run.schedule(r1);
  run.schedule(r2);
  run.ready();
  run.release(r2);  // the last of the queue leaves first
  CHECK(c.last.load() == nullptr && !c.idle());
  run.schedule(w);
  CHECK(run.ready().empty());
  run.release(r1);
  CHECK(run.ready() == Ready{&w});
  run.release(w);
  CHECK(untouched(c));
}

TEST(protocol, reads_and_writes_the_same_cown) {
  Run run;
  Cell c;
  Step both{read(c), write(c), read(c)}, r{read(c)};
  run.schedule(both);
  run.schedule(r);
  CHECK(run.ready() == Ready{&both});  // as a writer
  run.release(both);
  CHECK(run.ready() == Ready{&r});
  run.release(r);
  CHECK(untouched(c));
}

TEST(protocol, results_are_born_held) {
  Run run;
  Cell c, result;
  Step maker({write(c)}, &result);
  Step user{write(result)}, reader{read(result)};
  run.schedule(user);  // even before the behavior that makes the value
  run.schedule(reader);
  CHECK(run.ready().empty());
  run.schedule(maker);
  CHECK(run.ready() == Ready{&maker});
  run.release(maker);
  CHECK(run.ready() == Ready{&user});
  run.release(user);
  CHECK(run.ready() == Ready{&reader});
  run.release(reader);
  CHECK(untouched(result) && untouched(c));
}

// Its handle is dropped while the behavior runs: the queue's reference is the last one.
TEST(protocol, cowns_die_when_their_last_behavior_releases_them) {
  for (bool strong_only : {false, true}) {
    for (bool reads : {false, true}) {
      Run run;
      Cell c, result;
      c.strong_only = result.strong_only = strong_only;
      Step s({Use{&c, reads}}, &result);
      run.schedule(s);
      CHECK(!c.unref());
      CHECK(!result.unref());
      run.release(s);
      CHECK_EQ(run.dead(), 2);
      CHECK_EQ(c.refs.load(), 0u);
      CHECK_EQ(result.refs.load(), 0u);
    }
  }
}

TEST(protocol, a_successor_without_a_handle_keeps_the_cown) {
  Run run;
  Cell c;
  c.strong_only = true;
  Step a{write(c)}, b{write(c)};
  run.schedule(a);
  run.schedule(b);
  CHECK(!c.unref());  // only the queue has it now, but b is in the queue
  run.ready();
  run.release(a);
  CHECK(run.ready() == Ready{&b});
  CHECK_EQ(run.dead(), 0);
  run.release(b);
  CHECK_EQ(run.dead(), 1);
}

// A behavior that was prepared and never went on its way (an exception in the block that collects a batch) ends: what
// waits for its result goes on, and its cowns, read ones above all, are as they were.
TEST(protocol, releasing_what_was_never_scheduled) {
  Run run;
  Cell x, y, result;
  Step dropped({write(x), read(y)}, &result);
  Step user{write(result)};
  run.schedule(user);
  run.release(dropped);
  CHECK(run.ready() == Ready{&user});
  run.release(user);
  CHECK(untouched(x) && untouched(y) && untouched(result));
  CHECK_EQ(y.readers.load(), 0u);
  Step w{write(y)};
  run.schedule(w);
  CHECK(run.ready() == Ready{&w});
  run.release(w);
}

TEST(protocol, try_schedule_takes_only_what_is_free) {
  Run run;
  Cell c;
  Step a{write(c)}, b{write(c)}, r1{read(c)}, r2{read(c)}, w{write(c)};
  CHECK(run.try_schedule(a));
  CHECK(run.ready() == Ready{&a});
  CHECK(!run.try_schedule(b));
  run.release(a);
  CHECK(run.try_schedule(r1));
  CHECK(run.ready() == Ready{&r1});
  CHECK(!run.try_schedule(w));
  run.schedule(r2);
  CHECK(run.ready() == Ready{&r2});
  run.release(r2);
  CHECK(!run.try_schedule(w));  // r1 has left the queue, but it still reads
  run.release(r1);
  CHECK(run.try_schedule(w));
  CHECK(run.ready() == Ready{&w});
  run.release(w);
  CHECK(untouched(c));
}

TEST(protocol, batch_on_one_cown_keeps_its_order) {
  Run run;
  Cell c;
  Step before{write(c)}, a{write(c)}, r1{read(c)}, r2{read(c)}, b{write(c)}, r3{read(c)}, after{read(c)};
  run.schedule(before);
  run.batch({&a, &r1, &r2, &b, &r3});
  run.schedule(after);
  CHECK(run.ready() == Ready{&before});
  run.release(before);
  CHECK(run.ready() == Ready{&a});
  run.release(a);
  CHECK((run.ready() == Ready{&r1, &r2}));
  run.release(r1);
  run.release(r2);
  CHECK(run.ready() == Ready{&b});
  run.release(b);
  CHECK((run.ready() == Ready{&r3, &after}));
  run.release(after);
  run.release(r3);
  CHECK(untouched(c));
}

TEST(protocol, batch_of_readers_joins_active_readers) {
  Run run;
  Cell c;
  Step r0{read(c)}, r1{read(c)}, r2{read(c)}, w{write(c)};
  run.schedule(r0);
  run.batch({&r1, &r2, &w});
  CHECK((run.ready() == Ready{&r0, &r1, &r2}));
  for (Step* s : {&r2, &r0}) run.release(*s);
  CHECK(run.ready().empty());
  run.release(r1);
  CHECK(run.ready() == Ready{&w});
  run.release(w);
  CHECK(untouched(c));
}

TEST(protocol, batch_members_use_results_of_others) {
  Run run;
  Cell x, y, first, second;
  Step makes({write(x)}, &first);
  Step uses({write(first), write(y)}, &second);
  Step reads{read(second), read(first)};
  run.batch({&makes, &uses, &reads});
  CHECK(run.ready() == Ready{&makes});
  run.release(makes);
  CHECK(run.ready() == Ready{&uses});
  run.release(uses);
  CHECK(run.ready() == Ready{&reads});
  run.release(reads);
  for (Cell* c : {&x, &y, &first, &second}) CHECK(untouched(*c));
}

TEST(protocol, batch_over_several_cowns) {
  Run run;
  Cell x, y;
  Step a{write(x)}, b{write(y)}, both{write(x), read(y)}, last{write(y)};
  run.batch({&a, &b, &both, &last});
  CHECK((run.ready() == Ready{&a, &b}));
  run.release(b);
  run.release(a);
  CHECK(run.ready() == Ready{&both});
  run.release(both);
  CHECK(run.ready() == Ready{&last});
  run.release(last);
  CHECK(untouched(x) && untouched(y));
  run.batch({});
  CHECK(run.ready().empty());
}
