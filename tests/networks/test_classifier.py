"""ImageClassifier's three answers, and what it refuses."""

import torch

import nonlocal_zoo.networks.preresnet  # noqa: F401 (registers)
from nonlocal_zoo.networks.classifier import ImageClassifier
from nonlocal_zoo.testing import randomize_, refuses

BACKBONE = dict(type="PreResNet", depth=8, base_channels=4)


def classifier(**more):
    arguments = dict(backbone=BACKBONE, in_channels=16, num_classes=5, size=(12, 8)) | more
    return randomize_(ImageClassifier(**arguments), 0.3)


def test_three_answers():
    model = classifier().eval()
    x, labels = torch.randn(3, 3, 12, 8), torch.tensor([4, 0, 4])
    features = model.backbone(x)[-1]
    expected = torch.einsum("bchw,kc->bk", features, model.fc.weight) / 6 + model.fc.bias
    torch.testing.assert_close(model(x), expected)
    probabilities = expected.softmax(1)[range(3), labels]
    torch.testing.assert_close(model(x, labels, "loss")["loss"], -probabilities.log().mean())
    answers = model(x, labels, "predict")
    assert [answer["label"] for answer in answers] == [4, 0, 4]
    for answer, row in zip(answers, expected, strict=True):
        torch.testing.assert_close(answer["scores"], row)
        assert not answer["scores"].requires_grad


def test_dropout_in_training_only():
    model = classifier(dropout=0.5)
    x = torch.randn(4, 3, 12, 8)
    assert torch.equal(model.eval()(x), model(x))
    model.train()
    assert not torch.equal(model(x), model(x))


def test_a_step_of_training_goes_down_and_bytes_are_normalised():
    preprocessor = dict(type="ImgDataPreprocessor", mean=[100.0] * 3, std=[50.0] * 3)
    model = classifier(data_preprocessor=preprocessor)
    data = dict(
        inputs=torch.randint(0, 255, (4, 3, 12, 8), dtype=torch.uint8),
        data_samples=torch.tensor([0, 1, 2, 3]),
    )
    ready = model.data_preprocessor(data, True)
    torch.testing.assert_close(ready["inputs"], (data["inputs"].float() - 100) / 50)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    losses = []
    for _ in range(10):
        loss = model(**ready, mode="loss")["loss"]
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]


def test_refusals():
    model = classifier()
    refuses(ValueError, lambda: model(torch.zeros(1, 3, 8, 12)), "(8, 12)", "size=(12, 8)")
    x = torch.zeros(2, 3, 12, 8)
    refuses(LookupError, lambda: model(x, None, "predicts"), "'predict'", "'loss'")
