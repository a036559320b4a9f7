"""Each picture's own noise, as the file contract says."""

import hashlib

import torch

from scripts import noise

Z = [0.809767, 1.463333, -0.2974, 1.59156]
EPS = [-0.054466, -0.661196, 1.558448]


def test_noise_is_drawn_as_the_contract_says():
    number = int.from_bytes(hashlib.blake2b(b"100/cow/3/0", digest_size=8).digest(), "big")
    generator = torch.Generator("cpu").manual_seed(number >> 1)
    z, eps = noise.draw(100, "cow", 3, 0, 100, 64)
    assert torch.equal(z, torch.randn(100, generator=generator))
    assert torch.equal(eps, torch.randn(64, generator=generator))


def test_noise_has_not_changed_since_it_was_first_drawn():
    z, eps = noise.draw(100, "cow", 1, 0, 4, 3)
    torch.testing.assert_close(z, torch.tensor(Z))
    torch.testing.assert_close(eps, torch.tensor(EPS))


def test_names_are_taken_as_utf8():
    assert (
        noise.digest(7, "größe", 1, 0)
        == hashlib.blake2b(b"7/gr\xc3\xb6\xc3\x9fe/1/0", digest_size=8).digest()
    )


def test_every_seed_image_round_and_candidate_has_its_own():
    drawn = {
        tuple(noise.draw(seed, image, round_, candidate, 8, 4)[0].tolist())
        for seed in (1, 11)
        for image in ("cow", "bear")
        for round_ in (1, 2)
        for candidate in (0, 1)
    }
    assert len(drawn) == 16


def test_the_generator_of_torch_is_left_alone():
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    noise.draw(100, "cow", 1, 0, 8, 4)
    assert torch.equal(torch.randn(3), expected)
