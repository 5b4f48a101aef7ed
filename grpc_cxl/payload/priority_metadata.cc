// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/payload/priority_metadata.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kMostBytes = 256;

// A dictionary of structured fields (RFC 8941).
class Dictionary {
 public:
  explicit Dictionary(absl::string_view text) : rest_(text) {}

  // False: the text is none.
  bool Read(PriorityField* field) {
    while (Skip(" "), !rest_.empty()) {
      absl::string_view key;
      Item value{.kind = Item::kBoolean, .number = 1};
      if (!Key(&key)) return false;
      if (Take('=') && !(Next('(') ? InnerList(&value) : BareItem(&value))) return false;
      if (!Parameters()) return false;
      if (key == "u") {
        const bool valid = value.kind == Item::kInteger && value.number >= 0 && value.number <= 7;
        field->urgency = valid ? static_cast<int>(value.number) : PriorityField().urgency;
      } else if (key == "i") {
        field->incremental = value.kind == Item::kBoolean && value.number == 1;
      }
      Skip(" \t");
      if (rest_.empty()) return true;
      if (!Take(',')) return false;
      Skip(" \t");
      if (rest_.empty()) return false;
    }
    return true;
  }

 private:
  struct Item {
    enum Kind { kInteger, kBoolean, kOther } kind = kOther;
    int64_t number = 0;  // of the first two
  };

  bool Next(char c) const { return !rest_.empty() && rest_[0] == c; }
  bool Take(char c) { return absl::ConsumePrefix(&rest_, absl::string_view(&c, 1)); }
  void Skip(absl::string_view characters) { TakeAll(characters); }
  absl::string_view TakeAll(absl::string_view characters) {
    return TakeWhile([&](char c) { return characters.find(c) != characters.npos; });
  }
  template <typename Predicate>
  absl::string_view TakeWhile(Predicate predicate) {
    size_t size = 0;
    while (size < rest_.size() && predicate(rest_[size])) ++size;
    const absl::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  bool Key(absl::string_view* key) {
    *key = TakeWhile([](char c) {
      return absl::ascii_islower(c) || absl::ascii_isdigit(c) ||
             absl::string_view("_-.*").find(c) != absl::string_view::npos;
    });
    return !key->empty() && (absl::ascii_islower((*key)[0]) || (*key)[0] == '*');
  }

  bool BareItem(Item* item) {
    if (Take('?')) return Boolean(item);
    if (Take('"')) return String();
    if (Take(':')) {
      TakeWhile([](char c) { return absl::ascii_isalnum(c) || c == '+' || c == '/' || c == '='; });
      return Take(':');
    }
    if (Next('-') || (!rest_.empty() && absl::ascii_isdigit(rest_[0]))) return Number(item);
    const bool token = Next('*') || (!rest_.empty() && absl::ascii_isalpha(rest_[0]));
    TakeWhile([](char c) {
      return absl::ascii_isalnum(c) ||
             absl::string_view("!#$%&'*+-.^_`|~:/").find(c) != absl::string_view::npos;
    });
    return token;
  }

  bool Boolean(Item* item) {
    *item = {.kind = Item::kBoolean, .number = Next('1')};
    return Take('0') || Take('1');
  }

  bool String() {
    while (!rest_.empty() && !Next('"')) {
      const bool escaped = Take('\\');
      if (escaped ? !Next('"') && !Next('\\') : !absl::ascii_isprint(rest_[0])) return false;
      rest_.remove_prefix(1);
    }
    return Take('"');
  }

  bool Number(Item* item) {
    const bool negative = Take('-');
    const absl::string_view digits = TakeAll("0123456789");
    if (digits.empty() || digits.size() > 15) return false;
    if (Take('.')) {
      const size_t more = TakeAll("0123456789").size();
      return digits.size() <= 12 && more >= 1 && more <= 3;
    }
    *item = {.kind = Item::kInteger};
    for (const char digit : digits) item->number = 10 * item->number + (digit - '0');
    if (negative) item->number = -item->number;
    return true;
  }

  bool InnerList(Item* item) {
    *item = {};
    Take('(');
    for (;;) {
      Skip(" ");
      if (Take(')')) return true;
      Item inner;
      if (!BareItem(&inner) || !Parameters() || !(Next(' ') || Next(')'))) return false;
    }
  }

  bool Parameters() {
    while (Take(';')) {
      Skip(" ");
      absl::string_view key;
      Item value;
      if (!Key(&key) || (Take('=') && !BareItem(&value))) return false;
    }
    return true;
  }

  absl::string_view rest_;
};

}  // namespace

PriorityField ParsePriority(absl::string_view text) {
  PriorityField field;
  return text.size() <= kMostBytes && Dictionary(text).Read(&field) ? field : PriorityField();
}

std::string PriorityText(PriorityField field) {
  return absl::StrCat("u=", field.urgency, field.incremental ? ", i" : "");
}

Priority LevelOf(PriorityField field) {
  if (field.urgency < 3) return Priority::kInteractive;
  return field.urgency < 5 ? Priority::kDefault : Priority::kBulk;
}

PriorityField FieldOf(Priority priority) {
  switch (priority) {
    case Priority::kInteractive:
      return {.urgency = 1};
    case Priority::kBulk:
      return {.urgency = 6};
    default:
      return {};
  }
}

}  // namespace grpc_cxl::internal
