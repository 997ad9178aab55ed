"""spaCy's training of a text classifier: its table with E, #, LOSS and scores."""

import sys

import spacy
from spacy.training import Example
from spacy.training.loggers import console_logger
from spacy.training.loop import train

from truth import Truth

truth = Truth("spacy")
rows = []


@spacy.registry.loggers("recorder.v1")
def recorder():
    """The console logger, and the numbers it was given."""
    def setup(nlp, stdout=sys.stdout, stderr=sys.stderr):
        log, finish = console_logger()(nlp, stdout, stderr)

        def step(info):
            if info is not None:
                rows.append((info["step"], info["losses"]["textcat"], dict(info["other_scores"]), info["score"]))
            log(info)
        return step, finish
    return setup


@spacy.registry.readers("words.v1")
def words(n):
    def read(nlp):
        for i in range(n):
            good = i % 2 == 0
            text = f"this film was {('good', 'fine', 'great')[i % 3] if good else ('bad', 'dull', 'awful')[i % 3]} number {i}"
            yield Example.from_dict(nlp.make_doc(text), {"cats": {"POS": float(good), "NEG": float(not good)}})
    return read


config = """
[nlp]
lang = "en"
pipeline = ["textcat"]
[components]
[components.textcat]
factory = "textcat"
[components.textcat.model]
@architectures = "spacy.TextCatBOW.v3"
exclusive_classes = true
ngram_size = 1
no_output_layer = false
[corpora]
[corpora.train]
@readers = "words.v1"
n = 60
[corpora.dev]
@readers = "words.v1"
n = 20
[training]
train_corpus = "corpora.train"
dev_corpus = "corpora.dev"
max_epochs = 5
eval_frequency = 4
seed = 0
[training.optimizer]
@optimizers = "Adam.v1"
[training.batcher]
@batchers = "spacy.batch_by_words.v1"
size = 100
[training.logger]
@loggers = "recorder.v1"
"""
from spacy.training.initialize import init_nlp
from spacy.util import load_config_from_str, load_model_from_config

nlp = init_nlp(load_model_from_config(load_config_from_str(config), auto_fill=True).config)
(truth.dir / "model").mkdir()
train(nlp, truth.dir / "model")
truth.source("stdout.log", "step", {"LOSS TEXTCAT": [(step, loss) for step, loss, _, _ in rows],
                                    "CATS_SCORE": [(step, scores["cats_score"] * 100) for step, _, scores, _ in rows],
                                    "SCORE": [(step, score) for step, _, _, score in rows]}, digits="%.2f")
# E counts epochs, one a row here; # counts steps.
truth.result(axis="epoch", digits="%.2f",
             curves={"LOSS TEXTCAT": enumerate(loss for _, loss, _, _ in rows),
                     "CATS_SCORE": enumerate(scores["cats_score"] * 100 for _, _, scores, _ in rows),
                     "SCORE": enumerate(score for _, _, _, score in rows)})
truth.write()
