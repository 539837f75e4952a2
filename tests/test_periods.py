"""Systems that close on themselves: by a hopping, or by kwant.wraparound."""

import kwant
import numpy as np
import pytest

import kwant_curl as kc

LAW = kc.PowerLaw(2.0)
ENERGY = 0.6


def cylinder(width=6, length=7, *, shift=0, closed=True, lattice=None, seed=3):
    """Return a strip closed by hand, with disorder that is rolled by `shift` rows, and its lattice.

    The leads are closed too.
    """
    lat = lattice or kwant.lattice.square(norbs=1)
    disorder = np.random.default_rng(seed).uniform(-1, 1, (length, width))
    syst = kwant.Builder()
    for x, y in np.ndindex(length, width):
        syst[lat(x, (y + shift) % width)] = disorder[x, y]
    syst[lat.neighbors()] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry(lat.vec((-1, 0))))
    lead[(lat(0, y) for y in range(width))] = 0
    lead[lat.neighbors()] = -1
    if closed:
        syst[((lat(x, 0), lat(x, width - 1)) for x in range(length))] = -1
        lead[lat(0, 0), lat(0, width - 1)] = -1
    syst.attach_lead(lead)
    syst.attach_lead(lead.reversed())
    return syst.finalized(), lat


def by_row(result, width, shift):
    """Return which centres are at which place of the cylinder before it was rolled."""
    x, y = np.round(result.positions).astype(int).T
    return np.lexsort(((y - shift) % width, x))


@pytest.mark.parametrize("shift", [1, 4])
def test_a_cylinder_that_is_rolled_has_the_same_curls(shift):
    """No row is the seam: disorder that is moved around moves the results with it."""
    width = 6
    maps = [
        kc.curl_map(
            cylinder(shift=s)[0], kc.Displacements(scaling=LAW, periods=[(0, width)]), ENERGY
        )
        for s in (0, shift)
    ]
    rows = [by_row(result, width, s) for result, s in zip(maps, (0, shift), strict=True)]
    for name in ("curl", "force", "friction"):
        one, other = (getattr(m, name)[r] for m, r in zip(maps, rows, strict=True))
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10 * np.abs(one).max())
    assert np.abs(maps[0].curl).max() > 1e-3


def test_the_seam_without_periods_is_refused_and_was_wrong():
    """The closing bond of length 5 in the opposite direction; `periods=[]` takes it as that."""
    syst, _ = cylinder()
    with pytest.raises(
        ValueError, match=r"Site \[1 0\].*Site \[1 5\].* is 5 long.*periods=\[\(0, 6\)\]"
    ):
        kc.curl_map(syst, kc.Displacements(scaling=LAW), ENERGY)
    right = kc.curl_map(syst, kc.Displacements(scaling=LAW, periods=[(0, 6)]), ENERGY)
    wrong = kc.curl_map(syst, kc.Displacements(scaling=LAW, periods=[]), ENERGY)
    on_seam = np.isin(np.round(right.positions[:, 1]), [0, 5])
    assert np.abs(right.curl - wrong.curl)[on_seam].max() > 0.9 * np.abs(right.curl).max()
    scale = np.abs(right.curl).max()
    np.testing.assert_allclose(right.curl[~on_seam], wrong.curl[~on_seam], atol=1e-10 * scale)


def moved_cylinder(position, value, width=6):
    """Return the cylinder with hoppings d^-2 of nearest images, the site `position` at `value`."""
    syst, lat = cylinder(width)
    builder = kwant.Builder()
    places = {site: np.array(site.pos, float) for site in syst.sites}
    places[lat(*position)] = np.array(value, float)
    for site, (onsite, _) in zip(syst.sites, syst.onsites, strict=True):
        builder[site] = onsite
    for i, j in syst.graph:
        if i < j:
            a, b = syst.sites[i], syst.sites[j]
            apart = places[b] - places[a]
            apart[1] -= width * np.round(apart[1] / width)
            builder[a, b] = -1 / (apart @ apart)
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lat(0, y) for y in range(width))] = 0
    lead[lat.neighbors()] = -1
    lead[lat(0, 0), lat(0, width - 1)] = -1
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized(), lat


@pytest.mark.heavy
@pytest.mark.parametrize("place", [(3, 0), (3, 5), (2, 2)])
def test_the_curl_on_the_seam_against_moved_atoms(place):
    """The curl is that of forces of systems that are rebuilt with the atom displaced."""
    step, width = 1e-3, 6

    def force(dx, dy):
        syst, lat = moved_cylinder(place, np.add(place, (dx, dy)))
        atom = syst.id_by_site[lat(*place)]
        row = syst.hamiltonian_submatrix()[atom]
        here = np.add(place, (dx, dy))
        gradient = np.zeros((2, len(row)))
        for j in np.flatnonzero(row):
            if j != atom:
                apart = np.array(syst.sites[j].pos) - here
                apart[1] -= width * np.round(apart[1] / width)
                gradient[:, j] = 2 * row[j].real * apart / (apart @ apart)
        rho = sum(
            sign * np.einsum("ni,nj->ij", psi, psi.conj())
            for sign, psi in zip(
                (0.5, -0.5), map(kwant.wave_function(syst, ENERGY), (0, 1)), strict=True
            )
        ) / (2 * np.pi)  # fmt: skip
        return -2 * (gradient @ rho[:, atom]).real

    def slope(along, component):
        values = [force(*(k * step * along))[component] for k in (-2, -1, 1, 2)]
        return np.dot([1, -8, 8, -1], values) / (12 * step)

    slope_x, slope_y = slope(np.array([1, 0]), 1), slope(np.array([0, 1]), 0)
    syst, lat = cylinder()
    moving = kc.Displacements([lat(*place)], scaling=LAW, periods=[(0, width)])
    result = kc.curl_map(syst, moving, ENERGY)
    np.testing.assert_allclose(result.force[0], force(0, 0), atol=1e-10)
    np.testing.assert_allclose(result.curl[0], slope_x - slope_y, rtol=1e-8, atol=1e-8)


def gradient_of_images(width):
    """Return dH/dr of hoppings -d^-2, of sites at their nearest images, or at their own places."""

    def gradient(site1, site2):
        apart = np.array(site1.pos) - np.array(site2.pos)
        assert np.linalg.norm(apart) < width / 2
        return 2 * apart / (apart @ apart) ** 2

    return gradient


def test_all_ways_of_following_agree():
    """A law, gradients, and value functions that take nearest images themselves."""
    width = 6
    syst, lat = cylinder(width)

    def hopping(a, b):
        apart = np.array(a.pos) - np.array(b.pos)
        apart[1] -= width * np.round(apart[1] / width)
        return -1 / (apart @ apart)

    builder = kwant.Builder()
    for site, (onsite, _) in zip(syst.sites, syst.onsites, strict=True):
        builder[site] = onsite
    for i, j in syst.graph:
        builder[syst.sites[i], syst.sites[j]] = hopping
    builder.leads[:] = []
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lat(0, y) for y in range(width))] = 0
    lead[lat.neighbors()] = -1
    lead[lat(0, 0), lat(0, width - 1)] = -1
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    where, periods = [lat(3, 0), lat(3, 5), lat(2, 2)], [(0, width)]
    ways = [
        (syst, kc.Displacements(where, scaling=LAW, periods=periods)),
        (
            syst,
            kc.Displacements(where, hopping_gradient=gradient_of_images(width), periods=periods),
        ),
        (builder.finalized(), kc.Displacements(where)),
    ]
    first, *others = [
        kc.force_response(system, moving, ENERGY, jacobian=True) for system, moving in ways
    ]
    for other in others:
        for name in ("force", "curl", "friction", "jacobian"):
            np.testing.assert_allclose(getattr(other, name), getattr(first, name), atol=1e-7)


def wrapped(width, value, *, momentum=True, lat=None, seed=5):
    """Return a strip that kwant.wraparound closed, its lattice, with disorder in it."""
    lat = lat or kwant.lattice.square(norbs=1)
    disorder = np.random.default_rng(seed).uniform(-1, 1, (6, width))
    syst = kwant.Builder(kwant.TranslationalSymmetry((0, width)))
    for x, y in np.ndindex(6, width):
        syst[lat(x, y)] = disorder[x, y]
    syst[lat.neighbors()] = value
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0), (0, width)))
    lead[(lat(0, y) for y in range(width))] = 0
    lead[lat.neighbors()] = -1
    device = kwant.wraparound.wraparound(syst, coordinate_names="y")
    lead = kwant.wraparound.wraparound(lead, keep=0, coordinate_names="xy")
    device.attach_lead(lead)
    device.attach_lead(lead.reversed())
    return device.finalized(), lat


def inverse_square(a, b):
    """Return a hopping that sees both sites."""
    apart = np.array(a.pos) - np.array(b.pos)
    return -1 / (apart @ apart)


def test_wraparound_is_recognised():
    """Laws take its periods, and value functions see displaced images: both agree."""
    params = {"k_y": 0.7}
    moving = kc.Displacements(scaling=LAW)
    law = kc.curl_map(wrapped(4, -1)[0], moving, ENERGY, params=params)
    functions = kc.curl_map(
        wrapped(4, inverse_square)[0], kc.Displacements(), ENERGY, params=params
    )
    given = kc.curl_map(
        wrapped(4, -1)[0],
        kc.Displacements(scaling=LAW, periods=[(0, 4)]),
        ENERGY,
        params=params,
    )
    scale = np.abs(law.curl).max()
    assert scale > 1e-4
    for name in ("force", "curl", "friction"):
        np.testing.assert_allclose(getattr(functions, name), getattr(law, name), atol=1e-8)
        np.testing.assert_allclose(getattr(given, name), getattr(law, name), atol=1e-12)


def test_wraparound_at_zero_momentum_is_the_cylinder():
    """The same device, closed by hand and by Kwant."""
    width = 6
    syst, _ = cylinder(width, 6, seed=5)
    by_hand = kc.curl_map(syst, kc.Displacements(scaling=LAW, periods=[(0, width)]), ENERGY)
    by_kwant = kc.curl_map(
        wrapped(width, -1)[0], kc.Displacements(scaling=LAW), ENERGY, params={"k_y": 0.0}
    )
    np.testing.assert_allclose(by_kwant.positions, by_hand.positions)
    np.testing.assert_allclose(by_kwant.curl, by_hand.curl, atol=1e-11)


@pytest.mark.parametrize("width", [1, 2])
def test_images_that_share_an_element_are_refused(width):
    """Two rows: each is a neighbour of the other on both sides. One row: of itself."""
    syst, _ = wrapped(width, -1)
    moving = kc.Displacements(scaling=LAW)
    if width == 2:
        with pytest.raises(ValueError, match="as near to one image of"):
            kc.curl_map(syst, moving, ENERGY, params={"k_y": 0.3})
    else:
        with pytest.raises(ValueError, match=r"bond of .* to its own image"):
            kc.flow_map(syst, -2.5, params={"k_y": 0.3})


def test_sums_of_images_are_refused():
    """Three rows and bonds to second neighbours: an element holds bonds of both lengths."""
    lat = kwant.lattice.square(norbs=1)
    syst = kwant.Builder(kwant.TranslationalSymmetry((0, 3)))
    syst[(lat(x, y) for x in range(4) for y in range(3))] = 0
    syst[lat.neighbors()] = -1
    syst[lat.neighbors(3)] = -0.3
    lead = kwant.Builder(kwant.TranslationalSymmetry((-2, 0), (0, 3)))
    lead[(lat(x, y) for x in range(2) for y in range(3))] = 0
    lead[lat.neighbors()] = -1
    lead[lat.neighbors(3)] = -0.3
    device = kwant.wraparound.wraparound(syst, coordinate_names="y")
    lead = kwant.wraparound.wraparound(lead, keep=0, coordinate_names="xy")
    device.attach_lead(lead)
    device.attach_lead(lead.reversed())
    moving = kc.Displacements([lat(2, 1)], scaling=LAW)
    with pytest.raises(ValueError, match="several images"):
        kc.curl_map(device.finalized(), moving, ENERGY, params={"k_y": 0.3})


def test_flow_around_the_seam():
    """Rolled disorder rolls the flow; its image on a grid goes across the seam."""
    width, shift = 6, 2
    maps = [kc.flow_map(cylinder(shift=s)[0], ENERGY, periods=[(0, width)]) for s in (0, shift)]
    rows = [by_row(result, width, s) for result, s in zip(maps, (0, shift), strict=True)]
    for name in ("current", "momentum_current", "local_dos"):
        one, other = (getattr(m, name)[r] for m, r in zip(maps, rows, strict=True))
        np.testing.assert_allclose(one, other, atol=1e-11)
    with pytest.raises(ValueError, match=r"periods=\[\(0, 6\)\]"):
        kc.flow_map(cylinder()[0], ENERGY)
    grid = maps[0].interpolate(spacing=0.5)
    y = grid.axes[1]
    low = int(np.argmin(np.abs(y + 2)))
    turn = int(np.argmin(np.abs(y - (y[low] + width))))
    np.testing.assert_allclose(y[turn] - y[low], width)
    scale = np.abs(grid.curl).max()
    np.testing.assert_allclose(grid.curl[:, low], grid.curl[:, turn], atol=1e-9 * scale)
    operator = kc.MomentumCurrent(cylinder()[0], periods=[(0, width)])
    psi = kwant.wave_function(cylinder()[0], ENERGY)(0)
    assert operator(psi).shape == (len(psi), 42, 2)


def test_a_probe_acts_across_the_seam():
    """Rolled by two rows, disorder and points give the same curls."""
    width, shift = 6, 2
    points = np.array([(3.2, 0.1), (2.5, 5.4), (3.0, 2.0)])
    curls = []
    for s in (0, shift):
        syst, _ = cylinder(shift=s)
        probe = kc.Probe(points + np.array([0, s]), width=1.0, periods=[(0, width)])
        curls.append(kc.curl_map(syst, probe, ENERGY).curl)
    np.testing.assert_allclose(curls[0], curls[1], atol=1e-9 * np.abs(curls[0]).max())
    with pytest.raises(ValueError, match=r"periods=\[\(0, 6\)\]"):
        kc.curl_map(cylinder()[0], kc.Probe(points, width=1.0), ENERGY)
    without = kc.curl_map(cylinder()[0], kc.Probe(points, width=1.0, periods=[]), ENERGY).curl
    assert np.abs(without - curls[0])[0] > 0.01 * np.abs(curls[0]).max()


def nanotube(n_cells=3, length=3):
    """Return a zigzag strip of graphene, closed by hand across its width, and the period."""
    lat = kwant.lattice.honeycomb(norbs=1)
    a, b = lat.sublattices
    syst = kwant.Builder()
    for x, y in np.ndindex(length, n_cells):
        syst[a(x, y)] = syst[b(x, y)] = 0.1 * x * y
    syst[lat.neighbors()] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry(lat.vec((-1, 0))))
    lead[(s(0, y) for s in (a, b) for y in range(n_cells))] = 0
    lead[lat.neighbors()] = -1
    for builder, cells in ((syst, range(length)), (lead, range(1))):
        for x in cells:
            # b(x, y - 1) is bound to a(x, y)
            builder[a(x, 0), b(x, n_cells - 1)] = -1
    syst.attach_lead(lead)
    syst.attach_lead(lead.reversed())
    return syst.finalized(), n_cells * np.array(lat.prim_vecs[1])


def test_a_nanotube_is_recognised():
    """A bond of another pair of families, in an oblique lattice."""
    syst, period = nanotube(4)
    with pytest.raises(ValueError, match="closes the system on itself"):
        kc.curl_map(syst, kc.Displacements(scaling=LAW), 1.3)
    result = kc.curl_map(syst, kc.Displacements(scaling=LAW, periods=[period]), 1.3)
    assert np.isfinite(result.curl).all()


def ring(n=12, *, on_a_line=False):
    """Return a ring of own sites with two leads, on a circle, or on a line and closed by hand."""

    class Places(kwant.builder.SiteFamily):
        def __init__(self):
            super().__init__(f"places of {n}, line: {on_a_line}", "places", 1)

        def normalize_tag(self, tag):
            return kwant.builder.ta.array(tag, int)

        def pos(self, tag):
            angle = 2 * np.pi * tag[0] / n
            if on_a_line:
                return np.array([float(tag[0]), 0.0])
            return np.array([np.cos(angle), np.sin(angle)]) / (2 * np.sin(np.pi / n))

    family = Places()
    syst = kwant.Builder()
    for i in range(n):
        syst[family(i)] = 0.2 * i
    for i in range(n):
        syst[family(i), family((i + 1) % n)] = -1
    for i in (0, 5):
        syst.leads.append(
            kwant.builder.SelfEnergyLead(lambda *_: np.array([[-0.5j]]), [family(i)], ())
        )
    return syst.finalized()


def test_a_ring_in_the_plane_is_no_closure():
    """Bonds as long as each other are taken as they are."""
    result = kc.curl_map(ring(), kc.Displacements(scaling=LAW), 0.3)
    assert np.abs(result.curl).max() > 1e-4


def test_a_ring_on_a_line_is_refused():
    """Sites that are on no lattice, a bond that is eleven times as long as the others."""
    with pytest.raises(ValueError, match="11 long"):
        kc.curl_map(ring(on_a_line=True), kc.Displacements(scaling=LAW), 0.3)


@pytest.mark.parametrize("hopping", [-0.5, np.exp(0.3j), 0.8])
def test_weaker_links_and_phases_close_too(hopping):
    """A twisted boundary: what counts is the modulus."""
    syst, lat = cylinder(closed=False)
    builder = kwant.Builder()
    builder[(site for site in syst.sites)] = 0
    builder[lat.neighbors()] = -1
    builder[((lat(x, 0), lat(x, 5)) for x in range(7))] = hopping
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lat(0, y) for y in range(6))] = 0
    lead[lat.neighbors()] = -1
    builder.attach_lead(lead)
    with pytest.raises(ValueError, match=r"periods=\[\(0, 6\)\]"):
        kc.curl_map(builder.finalized(), kc.Displacements(scaling=LAW), ENERGY, bias={0: 1.0})


@pytest.mark.parametrize("far", [2, 3, 4])
def test_bonds_that_reach_far_are_no_closures(far):
    """Second to fourth neighbours, also in narrow strips, decaying; and elongated lattices."""
    lat = kwant.lattice.Monatomic([(1, 0), (0, 3)], norbs=1)
    square = kwant.lattice.square(norbs=1)
    for lattice, value in ((square, 0.3), (lat, 1.0)):
        syst = kwant.Builder()
        syst[(lattice(x, y) for x in range(8) for y in range(far))] = 0
        syst[lattice.neighbors()] = -1
        if lattice is square:
            for n in range(2, far + 1):
                syst[lattice.neighbors(n)] = -value / n
        lead = kwant.Builder(kwant.TranslationalSymmetry((-4, 0)))
        lead[(lattice(x, y) for x in range(4) for y in range(far))] = 0
        lead[lattice.neighbors()] = -1
        syst.attach_lead(lead)
        result = kc.curl_map(syst.finalized(), kc.Displacements(scaling=LAW), ENERGY, bias={0: 1.0})
        assert np.isfinite(result.curl).all()


@pytest.mark.parametrize(
    ("periods", "message"),
    [
        ([(0, 6, 0)], "3 components"),
        ("six", "expected vectors"),
        ([(0, np.nan)], "expected finite vectors"),
        ([(0, 6), (0, 3)], "linearly independent"),
        ((0, 6), r"expected finite vectors, \(n, dim\)"),
    ],
)
def test_bad_periods(periods, message):
    """What was given, what was expected."""
    syst, _ = cylinder()
    with pytest.raises((ValueError, TypeError), match=message):
        kc.curl_map(syst, kc.Displacements(scaling=LAW, periods=periods), ENERGY)
    with pytest.raises((ValueError, TypeError), match=message):
        kc.flow_map(syst, ENERGY, periods=periods)


def test_nearest_images_against_all_images():
    """Random, oblique lattices of one to three periods."""
    from kwant_curl.algebra.images import images_in_box, nearest_images

    rng = np.random.default_rng(11)
    for _ in range(60):
        dim = int(rng.integers(1, 4))
        periods = rng.normal(size=(rng.integers(1, dim + 1), dim))
        if np.linalg.svd(periods)[1].min() < 0.5:
            continue
        vectors = 3 * rng.normal(size=(20, dim))
        shifts, unique = nearest_images(vectors, periods)
        steps = np.array(list(np.ndindex((61,) * len(periods)))) - 30
        if len(steps) > 4000:
            steps = np.array(list(np.ndindex((31,) * len(periods)))) - 15
        distances = np.linalg.norm(vectors[:, None] + steps @ periods, axis=2)
        near = np.linalg.norm(vectors + shifts, axis=1)
        assert (near <= distances.min(axis=1) + 1e-9).all()
        assert unique.all()
        low, high = -np.ones(dim), np.full(dim, 1.5)
        which, places = images_in_box(vectors, periods, low, high)
        everything = vectors[:, None] + steps @ periods
        inside = ((everything >= low) & (everything <= high)).all(axis=2)
        assert len(places) == inside.sum()
        np.testing.assert_array_equal(np.bincount(which, minlength=20), inside.sum(axis=1))


def triangular(shift=0, width=4, length=5):
    """Return a triangular cylinder closed along the second vector, rolled by `shift` rows."""
    lat = kwant.lattice.triangular(norbs=1)
    disorder = np.random.default_rng(7).uniform(-1, 1, (length, width))
    syst = kwant.Builder()
    for x, y in np.ndindex(length, width):
        syst[lat(x, (y + shift) % width)] = disorder[x, y]
    syst[lat.neighbors()] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry(lat.vec((-1, 0))))
    lead[(lat(0, y) for y in range(width))] = 0
    lead[lat.neighbors()] = -1
    for builder, cells in ((syst, range(length)), (lead, range(1))):
        for x in cells:
            builder[lat(x, width - 1), lat(x, 0)] = -1
            if builder is lead or x:
                builder[lat(x, width - 1), lat(x - 1, 0)] = -1
    syst.attach_lead(lead)
    syst.attach_lead(lead.reversed())
    return syst.finalized(), width * np.array(lat.prim_vecs[1])


def test_the_period_that_is_suggested_is_the_right_one():
    """In a triangular lattice several differences are no distances; one brings all bonds home."""
    syst, period = triangular()
    with pytest.raises(ValueError, match=r"periods=\[\(2, 3.46410162\)\]"):
        kc.curl_map(syst, kc.Displacements(scaling=LAW), 0.3)
    result = kc.curl_map(syst, kc.Displacements(scaling=LAW, periods=[period]), 0.3)
    rolled = kc.curl_map(triangular(1)[0], kc.Displacements(scaling=LAW, periods=[period]), 0.3)
    scale = np.abs(result.curl).max()
    np.testing.assert_allclose(np.sort(rolled.curl), np.sort(result.curl), atol=1e-9 * scale)


def test_a_second_seam_is_refused():
    """A torus with one of its periods."""
    lat = kwant.lattice.square(norbs=1)
    syst = kwant.Builder()
    syst[(lat(x, y) for x in range(5) for y in range(5))] = 0
    syst[lat.neighbors()] = -1
    syst[((lat(x, 0), lat(x, 4)) for x in range(5))] = -1
    syst[((lat(0, y), lat(4, y)) for y in range(5))] = -1
    for number in range(2):
        self_energy = kwant.builder.SelfEnergyLead(
            lambda *_: np.array([[-0.5j]]), [lat(2, 2 + number)], ()
        )
        syst.leads.append(self_energy)
    torus = syst.finalized()
    with pytest.raises(ValueError, match=r"besides.*periods=\[\(0, 5\), \(5, 0\)\]"):
        kc.curl_map(torus, kc.Displacements(scaling=LAW, periods=[(0, 5)]), ENERGY)
    both = kc.Displacements(scaling=LAW, periods=[(0, 5), (5, 0)])
    assert np.isfinite(kc.curl_map(torus, both, ENERGY).curl).all()


# Periods that are wrong


BONDED = {
    "displacements": lambda syst, periods: kc.curl_map(
        syst, kc.Displacements(scaling=LAW, periods=periods), ENERGY
    ),
    "some": lambda syst, periods: kc.curl_map(
        syst, kc.Displacements([20, 21, 23], scaling=LAW, periods=periods), ENERGY
    ),
    "probe": lambda syst, periods: kc.curl_map(
        syst, kc.Probe([(3.0, 1.0)], width=1.0, periods=periods), ENERGY
    ),
    "flow": lambda syst, periods: kc.flow_map(syst, ENERGY, periods=periods),
    "current": lambda syst, periods: kc.MomentumCurrent(syst, periods=periods).bind(),
}


@pytest.mark.parametrize("ask", BONDED.values(), ids=BONDED)
@pytest.mark.parametrize(
    ("period", "message"),
    [
        ((0, 4), r"would go to an image of that at \[\d.0, [14].0\], where <Site"),
        ((0, 5), "would go to an image of that at .*, where <Site"),
        ((0, 7), r"Site.* is 2 long, and those of the same two families .* are 1 and less"),
        ((1, 6), r"is 1.414 long, and those of the same two families"),
        ((6, 0), r"periods holds \[6.0, 0.0\], which closes nothing"),
        ((0, 12), "which closes nothing.*Without periods, the error names the vector"),
    ],
    ids=str,
)
def test_wrong_periods_are_refused(ask, period, message):
    """On a cylinder of six rows; some sites alone see it as all do."""
    with pytest.raises(ValueError, match=f"{message}|sites at .* are images of each other"):
        ask(cylinder()[0], [period])


def test_a_part_of_a_period_is_no_period():
    """Bonds are right with a half of it, but a particle would act on each site twice."""
    syst, _ = cylinder()
    moving = kc.Displacements(scaling=LAW, periods=[(0, 3)])
    right = kc.Displacements(scaling=LAW, periods=[(0, 6)])
    one, other = (kc.curl_map(syst, each, ENERGY).curl for each in (moving, right))
    np.testing.assert_allclose(one, other, atol=1e-12)
    message = r"the sites at \[.*\] and \[.*\] are images of each other"
    with pytest.raises(ValueError, match=message):
        kc.curl_map(syst, kc.Probe([(3.0, 1.0)], width=1.0, periods=[(0, 3)]), ENERGY)
    with pytest.raises(ValueError, match=message):
        kc.flow_map(syst, ENERGY, periods=[(0, 3)]).interpolate()


def test_sites_away_from_the_seam_take_its_period():
    """None of their bonds goes to an image."""
    syst, lat = cylinder()
    inside = [lat(3, 2), lat(3, 3)]
    with_it = kc.curl_map(syst, kc.Displacements(inside, scaling=LAW, periods=[(0, 6)]), ENERGY)
    without = kc.curl_map(syst, kc.Displacements(inside, scaling=LAW, periods=[]), ENERGY)
    np.testing.assert_array_equal(with_it.curl, without.curl)


def test_a_tube_between_wider_sheets():
    """The sheets overlap with the images of the tube; only its own bonds close."""
    lat = kwant.lattice.square(norbs=1)
    syst = kwant.Builder()
    syst[(lat(x, y) for x in range(9) for y in range(-3, 9))] = 0.1
    del syst[(lat(x, y) for x in range(3, 6) for y in (-3, -2, -1, 6, 7, 8))]
    syst[lat.neighbors()] = -1
    syst[((lat(x, 0), lat(x, 5)) for x in range(3, 6))] = -0.8
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lat(0, y) for y in range(-3, 9))] = 0
    lead[lat.neighbors()] = -1
    syst.attach_lead(lead)
    syst.attach_lead(lead.reversed())
    moving = kc.Displacements(scaling=LAW, periods=[(0, 6)])
    assert np.isfinite(kc.curl_map(syst.finalized(), moving, ENERGY).curl).all()


def test_a_stretched_seam_and_far_bonds_across_it():
    """A seam may be a third longer than other bonds, and bonds across it reach as far as others."""
    moving = kc.Displacements(scaling=LAW, periods=[(0, 6.3)])
    assert np.isfinite(kc.curl_map(cylinder()[0], moving, ENERGY).curl).all()
    lat = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    for x, y in np.ndindex(7, 7):
        builder[lat(x, y)] = 0.1 * x
    for x, y in np.ndindex(7, 7):
        for dx, dy, value in ((0, 1, -1), (1, 0, -1), (1, 1, -0.6), (0, 2, -0.5), (1, 2, -0.3)):
            if x + dx < 7:
                builder[lat(x, y), lat(x + dx, (y + dy) % 7)] = value
    self_energy = kwant.builder.SelfEnergyLead(lambda *_: np.array([[-0.5j]]), [lat(0, 0)], ())
    builder.leads += [self_energy]
    moving = kc.Displacements(scaling=LAW, periods=[(0, 7)])
    result = kc.curl_map(builder.finalized(), moving, ENERGY, bias={0: 1.0})
    assert np.isfinite(result.curl).all()
