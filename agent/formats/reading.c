#include "formats/reading.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

enum {
        NAME_WORDS_MAX = 7,
        WEAK_NAME_WORDS_MAX = 4,
        X_MAX = 1000000000,
};

/* There may be thousands of texts, and one thread takes one line at a time. */
static struct scan scan;
static struct pattern_number numbers[PATTERN_SLOTS_MAX];
static size_t number_metrics[PATTERN_SLOTS_MAX];

void reader_start(struct reader *reader) {
        reader->loop = BUFFER_INIT(READER_LABEL_BYTES_MAX);
        reader->scan = &scan;
        reader->numbers = numbers;
        reader->number_metrics = number_metrics;
        draft_start(&reader->line);
}

void reader_release(struct reader *reader) {
        draft_release(&reader->line);
        buffer_release(&reader->loop);
}

bool reader_is_x(enum key_role role) {
        return role == KEY_EPOCH || role == KEY_STEP || role == KEY_TRIAL;
}

void reader_name_numbers(struct reader *reader) {
        for (size_t i = 0; i < reader->n_numbers; i++)
                if (reader->numbers[i].role == KEY_METRIC)
                        reader->numbers[i].name = draft_name(&reader->line, reader->number_metrics[i]);
}

/* --- names that mean two things --- */

static bool is_numbered(struct slice label) {
        const char *sign = label.size_bytes > 0 ? memchr(label.data, '#', label.size_bytes - 1) : NULL;

        return sign && isdigit((unsigned char)sign[1]);
}

/* The same name under "train" and under "valid" is two metrics: the first keeps its name, others get
 * the word in front. Empty: the name stands as it is. */
static struct slice prefix_of(struct reader *reader, struct slice label, struct slice name) {
        uint32_t hash = name_hash(name), label_hash;

        if (label.size_bytes > READER_LABEL_BYTES_MAX || name_split_word(name).size_bytes > 0)
                label = (struct slice){ 0 };
        if (is_numbered(label))
                return label; /* Test net output #0: accuracy */
        label = name_split_word(label);
        label_hash = name_hash(label);
        if (reader->owners[hash % READER_OWNERS].name != hash) {
                reader->owners[hash % READER_OWNERS].name = hash;
                reader->owners[hash % READER_OWNERS].label = label_hash;
        }
        return reader->owners[hash % READER_OWNERS].label == label_hash ? (struct slice){ 0 } : label;
}

/* tot_loss[loss=1.06] is tot_loss, and d[loss=0.45] is d/loss. */
static bool ends_with(struct slice text, struct slice end) {
        return text.size_bytes >= end.size_bytes && memcmp(text.data + text.size_bytes - end.size_bytes, end.data, end.size_bytes) == 0;
}

/* label: of which split it is; is_group: a word that it is grouped under. */
static int add_metric(struct reader *reader, struct slice label, bool is_group, struct slice name, double value) {
        struct slice word = is_group ? label : prefix_of(reader, label, name);
        char prefix[READER_LABEL_BYTES_MAX + 4];
        int n = 0;

        if (is_group && (ends_with(label, name) || label.size_bytes > READER_LABEL_BYTES_MAX))
                return draft_add(&reader->line, (struct slice){ 0 }, label, value);
        if (word.size_bytes > 0)
                n = snprintf(prefix, sizeof(prefix), "%.*s%s", (int)word.size_bytes, word.data,
                             is_numbered(word) ? ": " : "/");
        return draft_add(&reader->line, (struct slice){ prefix, (size_t)n }, name, value);
}

/* --- one line --- */

static size_t count_words(struct slice name) {
        size_t n = 1;

        for (size_t i = 0; i < name.size_bytes; i++)
                n += name.data[i] == ' ';
        return n;
}

/* Remembers for the line's pattern what a number in it was; of an x the one that counts. */
static void note_number(struct reader *reader, struct slice text, enum key_role role, size_t metric) {
        size_t i = reader->n_numbers;

        for (size_t j = 0; j < reader->n_numbers && role != KEY_METRIC; j++)
                if (reader->numbers[j].role == role)
                        i = j;
        if (i == PATTERN_SLOTS_MAX)
                return;
        reader->numbers[i] = (struct pattern_number){ .text = text, .role = role };
        reader->number_metrics[i] = metric;
        reader->n_numbers += i == reader->n_numbers;
}

static void set_x(struct reader *reader, struct key key, double value, struct slice text) {
        if (draft_set_x(&reader->line, key, value))
                note_number(reader, text, key.role, 0);
}

static void take_x(struct reader *reader, const struct item *item, struct key key, struct reading *reading) {
        if (!(item->value >= 0 && item->value <= X_MAX) || (key.role != KEY_EPOCH && item->value != floor(item->value))) {
                reading->is_odd = true;
                return;
        }
        set_x(reader, key, item->value, item->value_text);
        if (key.role == KEY_EPOCH && isfinite(item->total))
                set_x(reader, (struct key){ KEY_TOTAL_EPOCHS, 0 }, item->total, item->total_text);
        if (key.rank < NAMES_BATCH_RANK || reading->n_x > 0)
                reading->place = PLACE_OWN;
        reading->n_x++;
}

/* Numbers without a name: [12] at the line's start is an iteration, and behind an epoch the step in
 * it; two of them at the start are both ([1][5/20], [1,  2000]). */
static void take_bare(struct reader *reader, size_t i, struct reading *reading) {
        const struct item *items = reader->scan->items, *item = &items[i];
        const struct key step = { KEY_STEP, 39 }, epoch = { KEY_EPOCH, 39 };

        if (item->is_first && item->is_bracketed && item->is_integer) {
                bool has_two = reader->scan->n_items > 1 && items[1].form == ITEM_BARE && items[1].is_bracketed;

                take_x(reader, item, has_two ? epoch : step, reading);
                reading->place = has_two ? PLACE_OWN : PLACE_BARE;
                reading->is_first_x = true;
        } else if (isfinite(item->total) && reading->has_bar) {
                reading->bar = item->value;
                reading->bar_total = item->total;
        } else if (i > 0 && (item->is_bracketed || items[0].is_bracketed) && reading->n_x == 1 &&
                   !isnan(reader->line.record.epoch) && i <= 2) {
                take_x(reader, item, step, reading);
        }
}

/* "0:\tlearn: 0.69" (CatBoost): an iteration that a colon follows. */
static bool is_numbered_line(struct slice text) {
        size_t n = 0;

        while (n < text.size_bytes && isdigit((unsigned char)text.data[n]))
                n++;
        return n > 0 && n + 1 < text.size_bytes && text.data[n] == ':' && (text.data[n + 1] == '\t' || text.data[n + 1] == ' ');
}

/* "train: [1][0/61]": the epoch, and the step in it; "Test: [3/50]": a step of what is no epoch, and
 * no place in the training. */
static void take_loop(struct reader *reader, const struct item *item, struct reading *reading) {
        const struct item *next = item + 1, *end = reader->scan->items + reader->scan->n_items;

        if (next < end && next->form == ITEM_BARE && next->is_bracketed) {
                take_x(reader, item, (struct key){ KEY_EPOCH, 39 }, reading);
                take_x(reader, next, (struct key){ KEY_STEP, 39 }, reading);
        }
}

/* LOSS=0.5 is a variable of an environment. */
bool reader_is_shouted(struct slice name) {
        for (size_t i = 0; i < name.size_bytes; i++)
                if (islower((unsigned char)name.data[i]))
                        return false;
        return true;
}

static bool has_letter(struct slice name) {
        for (size_t i = 0; i < name.size_bytes; i++)
                if (isalpha((unsigned char)name.data[i]) || (unsigned char)name.data[i] >= 0x80)
                        return true;
        return false;
}

/* "Score at iteration 100 is 1.39", "Cost after iteration 100: 5.83": the x is behind "at", and what is
 * before it is what has a value. */
static struct slice split_at(struct slice phrase, struct slice *ret_subject) {
        static const char *const words[] = { " at ", " after ", " for ", " in " };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                const char *at = memmem(phrase.data, phrase.size_bytes, words[i], strlen(words[i]));
                struct slice behind;

                if (!at)
                        continue;
                behind = (struct slice){ at + strlen(words[i]), 0 };
                behind.size_bytes = phrase.size_bytes - (size_t)(behind.data - phrase.data);
                if (!reader_is_x(names_classify(behind).key.role))
                        continue;
                *ret_subject = (struct slice){ phrase.data, (size_t)(at - phrase.data) };
                return behind;
        }
        return phrase;
}

/* "Perf Stats: collect: 18.1 step: 0.1": times, whatever their names. */
static bool is_of_timers(struct slice label) {
        static const char *const words[] = { "Perf", "perf", "Timing", "timing", "Timer", "timer", "Profil", "profil" };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && label.size_bytes > 0; i++)
                if (memmem(label.data, label.size_bytes, words[i], strlen(words[i])))
                        return true;
        return false;
}

bool reader_is_of_best(struct slice text) {
        return text.size_bytes > 0 && (memmem(text.data, text.size_bytes, "best", 4) || memmem(text.data, text.size_bytes, "Best", 4) ||
                                       memmem(text.data, text.size_bytes, "saved", 5) || memmem(text.data, text.size_bytes, "Saved", 5));
}

/* Can the item be a metric, whatever the line is? */
static bool can_be_metric(const struct item *item, struct slice name, const struct name_class *class, const struct reading *reading) {
        size_t n_words = count_words(name);

        if (class->key.role != KEY_METRIC || !has_letter(name) || n_words > NAME_WORDS_MAX)
                return false;
        if (isfinite(item->total) && isnan(item->percent) && item->is_integer) /* 97/100 counts; 0.53/0.54 is of two */
                return false;
        if (class->kind != METRIC_OTHER)
                return item->form == ITEM_STRONG || item->is_answer || n_words <= WEAK_NAME_WORDS_MAX;
        /* Time 0.9 (io: 0.3): of what is none itself. */
        if (item->is_aside && reading->was_ignored)
                return false;
        /* An unknown name with a whole number at the start of a line, or before a bar, says of what the
         * rest is. */
        if (item->is_integer && ((item->is_first && item->form == ITEM_WEAK) || reading->has_bar))
                return false;
        return item->form == ITEM_STRONG ||
               (n_words <= WEAK_NAME_WORDS_MAX && (item->is_delimited || reading->n_metrics + reading->n_x > 0));
}

static int take_metric(struct reader *reader, const struct item *item, struct slice name, const struct name_class *class,
                       struct reading *reading) {
        size_t n_before = reader->line.n_metrics;
        bool is_ratio = isfinite(item->percent);
        int r;

        reading->n_metrics++;
        reading->n_strong += item->form == ITEM_STRONG || item->is_answer;
        reading->n_parted += item->is_delimited && class->kind == METRIC_RESULT;
        reading->n_fractions += !item->is_integer;
        reading->has_decimal_comma = reading->has_decimal_comma ||
                                     (!item->is_integer && memchr(item->value_text.data, ',', item->value_text.size_bytes) &&
                                      !memchr(item->value_text.data, '.', item->value_text.size_bytes));
        reading->n_known += class->kind == METRIC_RESULT && (class->is_unmistakable || !item->is_integer);
        reading->n_schedule += class->kind == METRIC_SCHEDULE;
        reading->is_unmistakable = reading->is_unmistakable || (class->is_unmistakable && !item->is_integer && !reader_is_shouted(name));
        r = add_metric(reader, item->group.size_bytes > 0 ? item->group : reading->label, item->group.size_bytes > 0, name,
                       is_ratio ? item->percent : item->value);
        if (reader->line.n_metrics > n_before)
                note_number(reader, is_ratio ? item->percent_text : item->value_text, KEY_METRIC, n_before);
        return r;
}

static int take_named(struct reader *reader, const struct item *item, struct reading *reading) {
        struct slice phrase = split_at(item->name, &reading->subject), name = name_trim(phrase);
        struct name_class class;

        if (slice_equal(name, SLICE("is")) && reading->subject.size_bytes > 0)
                name = reading->subject;
        class = names_classify(name);
        reading->is_summary = reading->is_summary || class.is_summary;
        reading->has_best = reading->has_best || (reading->n_x == 0 && (reader_is_of_best(item->name) || reader_is_of_best(item->label)));
        if (item->label.size_bytes > 0)
                reading->label = item->label;
        if (class.is_split)
                reading->label = name;
        if (item->is_bracketed && !reader_is_x(class.key.role)) {
                take_loop(reader, item, reading);
                return 0;
        }
        /* "Line search step: 0.0002" is no place. */
        if (reader_is_x(class.key.role) && class.key.role != KEY_EPOCH && !item->is_integer && item->form == ITEM_STRONG &&
            count_words(name) > 1 && phrase.data == item->name.data)
                class.key.role = KEY_METRIC;
        if (reader_is_x(class.key.role) && !reader_is_of_best(item->name)) {
                reading->is_first_x = reading->is_first_x || item->is_first;
                take_x(reader, item, class.key, reading);
                return 0;
        }
        if (class.key.role == KEY_TOTAL_EPOCHS) {
                set_x(reader, class.key, item->value, item->value_text);
                reading->is_settings = reading->is_settings || item->form == ITEM_STRONG;
        }
        if (reading->has_best || reader_is_of_best(item->name) || is_of_timers(item->label) || !can_be_metric(item, name, &class, reading)) {
                reading->was_ignored = reading->was_ignored || !item->is_aside;
                return 0;
        }
        reading->was_ignored = false;
        return take_metric(reader, item, name, &class, reading);
}

/* "Cost after iteration 100: 5.83": the value of what stood before "after". */
static int take_answer(struct reader *reader, const struct item *item, struct reading *reading) {
        struct name_class class = names_classify(reading->subject);

        if (reading->subject.size_bytes == 0 || reading->has_best || !can_be_metric(item, reading->subject, &class, reading))
                return 0;
        return take_metric(reader, item, reading->subject, &class, reading);
}

int reader_take(struct reader *reader, struct slice text, bool decimal_commas, struct reading *ret_reading) {
        int r = 0;

        scan_line(text, decimal_commas, reader->scan);
        *ret_reading = (struct reading){ .place = PLACE_NONE, .bar = NAN, .bar_total = NAN };
        reader->n_numbers = 0;
        ret_reading->has_bar = memmem(text.data, text.size_bytes, "%|", 2);
        /* " * Acc@1 79.8": the sum of the loop before. */
        if (text.data[0] == '*' && text.size_bytes > 1 && text.data[1] != '*')
                ret_reading->label = buffer_slice(&reader->loop);
        draft_start(&reader->line);
        for (size_t i = 0; i < reader->scan->n_items && r == 0; i++) {
                const struct item *item = &reader->scan->items[i];

                if (item->form == ITEM_BARE && i == 0 && is_numbered_line(text)) {
                        take_x(reader, item, (struct key){ KEY_STEP, 39 }, ret_reading);
                        ret_reading->place = PLACE_BARE;
                } else if (item->is_answer && ret_reading->n_x > 0) {
                        r = take_answer(reader, item, ret_reading);
                } else if (item->form == ITEM_BARE) {
                        take_bare(reader, i, ret_reading);
                } else if (item->is_bracketed && ret_reading->n_x > 0 && item->name.size_bytes == 0) {
                        take_bare(reader, i, ret_reading);
                } else {
                        r = take_named(reader, item, ret_reading);
                }
        }
        buffer_clear(&reader->loop);
        (void)buffer_append(&reader->loop, ret_reading->label.data, ret_reading->label.size_bytes);
        return r;
}
