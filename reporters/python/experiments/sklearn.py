"""scikit-learn: partial_fit(model, x, y, epochs=20, validation=(xv, yv)) is the loop, with reports and a stop"""

import inspect
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, TypeVar

import experiments

Model = TypeVar("Model")


def _scores(model: Any, validation: Optional[Tuple[Any, Any]]) -> Dict[str, float]:
    scores = {}
    if hasattr(model, "loss_"):  # of MLPClassifier and MLPRegressor
        scores["loss"] = model.loss_
    if validation is not None:
        scores["validation_score"] = model.score(*validation)
    return scores


def partial_fit(model: Model, x: Any, y: Any = None, *, epochs: int, classes: Optional[Sequence[Any]] = None,
                validation: Optional[Tuple[Any, Any]] = None,
                metrics: Optional[Callable[[Model], Mapping[str, float]]] = None) -> Model:
    """Calls model.partial_fit(x, y) once an epoch until a stop is requested. Reports what the model says of its loss,
    its score on validation, and what metrics(model) returns. classes: of a classifier; those of y when they are not told."""
    further: Dict[str, Any] = {}
    if "classes" in inspect.signature(model.partial_fit).parameters:  # type: ignore[attr-defined]
        further["classes"] = sorted(set(y)) if classes is None else classes
    for epoch in range(1, epochs + 1):
        model.partial_fit(x, y, **further)  # type: ignore[attr-defined]
        values = {**_scores(model, validation), **(metrics(model) if metrics else {})}
        experiments.report(epoch=epoch, epochs=epochs, metrics=values)
        if experiments.should_stop():
            break
    return model
