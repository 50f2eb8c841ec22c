"""What every `Descriptor` must guarantee; each implementation's tests inherit this class."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import pytest
from skimage import data

from ensemble.errors import ArrayError, DataError
from ensemble.folds.descriptors import Descriptor, find_pairs


class DescriptorContract(ABC):
    @pytest.fixture(scope="class")
    def descriptor(self) -> Descriptor:
        return self.make()

    @abstractmethod
    def make(self) -> Descriptor: ...

    @pytest.mark.parametrize("shape", [(1, 1, 3), (7, 90, 3), (64, 64, 3), (300, 200, 3)])
    def test_any_size_and_flat_pictures_give_one_vector(self, descriptor, shape) -> None:
        for value in (0, 255):
            vector = descriptor.describe(np.full(shape, value, dtype=np.uint8))
            assert vector.shape == (descriptor.length,)
            assert vector.dtype == descriptor.dtype
            assert np.isfinite(vector).all()

    def test_describing_is_a_pure_function(self, descriptor) -> None:
        picture = data.astronaut()[:200, :200].copy()
        before = picture.copy()
        first = descriptor.describe(picture)
        descriptor.describe(data.coffee())
        np.testing.assert_array_equal(first, descriptor.describe(picture))
        np.testing.assert_array_equal(before, picture)

    def test_a_picture_its_twin_and_its_mirror_image_are_alike(self, descriptor) -> None:
        picture = data.chelsea()[:, :300]
        pictures = [picture, picture.copy(), np.ascontiguousarray(picture[:, ::-1])]
        first, second, similarity = self.alike(descriptor, pictures)
        assert set(zip(first.tolist(), second.tolist(), strict=True)) == {(0, 1), (0, 2), (1, 2)}
        assert (similarity >= descriptor.threshold).all()
        assert (similarity <= 1).all()

    def test_pairs_are_named_once_smaller_row_first(self, descriptor) -> None:
        pictures = [data.astronaut()[:200, :200]] * 4 + [data.coffee()[:200, :200]]
        first, second, _ = self.alike(descriptor, pictures)
        assert (first < second).all()
        assert len(set(zip(first.tolist(), second.tolist(), strict=True))) == len(first)

    def test_pairs_do_not_depend_on_order(self, descriptor) -> None:
        pictures = [data.astronaut()[k : k + 200, :200] for k in (0, 10, 200)]
        pictures += [data.coffee()[:200, k : k + 200] for k in (0, 8, 60)]
        vectors = np.stack([descriptor.describe(picture) for picture in pictures])
        ids = np.array(list("fbdace"))
        straight = find_pairs(image_ids=ids.tolist(), vectors=vectors, descriptor=descriptor)
        order = np.array([3, 0, 5, 4, 1, 2])
        turned = find_pairs(
            image_ids=ids[order].tolist(), vectors=vectors[order], descriptor=descriptor
        )
        assert straight.image_ids == turned.image_ids == tuple("abcdef")
        np.testing.assert_array_equal(straight.first, turned.first)
        np.testing.assert_array_equal(straight.second, turned.second)
        np.testing.assert_array_equal(straight.similarity, turned.similarity)
        assert (np.diff(straight.similarity) <= 0).all()

    def test_nobody_and_one_alone_have_no_pairs(self, descriptor) -> None:
        for n in (0, 1):
            vectors = np.zeros((n, descriptor.length), dtype=descriptor.dtype)
            ids = [str(row) for row in range(n)]
            assert len(find_pairs(image_ids=ids, vectors=vectors, descriptor=descriptor).first) == 0

    def test_wrong_arrays_are_refused(self, descriptor) -> None:
        with pytest.raises(ArrayError, match=r"must be RGB of shape \(H, W, 3\)"):
            descriptor.describe(np.zeros((8, 8), dtype=np.uint8))
        vectors = np.zeros((2, descriptor.length + 1), dtype=descriptor.dtype)
        with pytest.raises(DataError, match=rf"shape \(2, {descriptor.length}\), but have"):
            find_pairs(image_ids=["a", "b"], vectors=vectors, descriptor=descriptor)

    @staticmethod
    def alike(descriptor, pictures):
        return descriptor.alike(np.stack([descriptor.describe(picture) for picture in pictures]))
