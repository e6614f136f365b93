// Transfers between accounts, in C++: the same cowns, behaviors and readers as in Python, without Python.
//
//   cmake -S examples/cpp -B build-example -DBOC_SOURCE=. && cmake --build build-example && build-example/transfer
#include <iostream>
#include <string>
#include <vector>

#include "boc/native.h"

namespace {

struct Account {
  std::string owner;
  long balance = 0;
};

using Accounts = std::vector<boc::cown<Account>>;

// Holds both accounts, alone: nobody ever sees the money on its way.
boc::cown<bool> transfer(const boc::cown<Account>& from, const boc::cown<Account>& to, long amount) {
  return boc::when(from, to) << [amount](Account& source, Account& target) {
    if (source.balance < amount) return false;
    source.balance -= amount;
    target.balance += amount;
    return true;
  };
}

// Reads all accounts at one moment, beside other readers.
boc::cown<long> total(const Accounts& accounts) {
  return boc::when(boc::read(accounts)) << [](const std::vector<const Account*>& all) {
    long sum = 0;
    for (const Account* account : all) sum += account->balance;
    return sum;
  };
}

}  // namespace

int main() {
  boc::Runtime runtime(2);
  Accounts accounts;
  for (const char* owner : {"Ada", "Barbara", "Edsger"}) {
    accounts.push_back(boc::make_cown<Account>(Account{owner, 100}));
  }
  for (size_t i = 0; i < 300; ++i) transfer(accounts[i % 3], accounts[(i + 1) % 3], 1);
  boc::cown<bool> too_much = transfer(accounts[0], accounts[1], 1000);
  std::cout << "total " << boc::get(total(accounts)) << "\n"
            << "too much: " << (boc::get(too_much) ? "moved" : "refused") << "\n";
  for (const auto& account : accounts) {
    boc::when(boc::read(account)) <<
        [](const Account& a) { std::cout << a.owner + ": " + std::to_string(a.balance) + "\n"; };
    runtime.wait();
  }
}
