using System.Globalization;
using LoraKernels.Serving;
using NUnit.Framework;

namespace LoraKernels.Tests.Serving;

/// <summary>
/// The pool's books, exhaustively: every state that a small pool can be in is reached, every operation is tried in
/// each, and after each the books are what an independent count over all adapters says.
/// </summary>
public sealed class LedgerTests
{
    private const long Budget = 6;

    // Sizes 2, 3 and 4 of 6; the first two share a tenant that may have one adapter, of at most 3.
    private static readonly (string Name, string? Tenant, long Bytes)[] _adapters =
        [("a", "t", 2), ("b", "t", 3), ("c", null, 4)];

    private static readonly string[] _operations =
        ["add", "reserve", "arrive", "give up", "hold", "let go", "pin", "unpin", "retire"];

    [Test]
    public void EveryStateOfASmallPoolIsSound()
    {
        var paths = new Dictionary<string, (int Adapter, string Operation)[]>(StringComparer.Ordinal);
        var open = new Queue<(int Adapter, string Operation)[]>();
        open.Enqueue([]);
        paths.Add(new Books().Key, []);
        while (open.TryDequeue(out (int Adapter, string Operation)[]? path))
        {
            for (int adapter = 0; adapter < _adapters.Length; adapter++)
            {
                foreach (string operation in _operations)
                {
                    var books = new Books();
                    foreach ((int a, string o) in path)
                        books.Do(a, o);
                    if (!books.Do(adapter, operation))
                        continue;
                    (int, string)[] longer = [.. path, (adapter, operation)];
                    books.Check(() => string.Join(", ", longer.Select(step => $"{step.Item2} {_adapters[step.Item1].Name}")));
                    if (paths.TryAdd(books.Key, longer))
                        open.Enqueue(longer);
                }
            }
        }
        TestContext.Out.WriteLine($"{paths.Count} states");
        Assert.That(paths, Has.Count.GreaterThan(1000));
    }

    [Test]
    public void RoomIsGivenInTheOrderInWhichItWasAskedFor()
    {
        PoolLedger ledger = NewLedger(10);
        PooledAdapter resident = Arrived(ledger, "resident", 8);
        ledger.TryHold(resident);
        PooledAdapter large = Add(ledger, "large"), small = Add(ledger, "small");

        Assert.That(ledger.Reserve(large, 9), Is.False);
        Assert.That(ledger.Reserve(small, 1), Is.False, "it would fit, but the large one would wait for ever");
        ledger.LetGo(resident);
        ledger.Settle();

        Assert.That(ledger.Dropped, Is.EqualTo([resident]));
        Assert.That(ledger.Granted, Is.EqualTo([large, small]));
    }

    [Test]
    public void WhoWaitsForRoomOfItsOwnTenantLetsOthersPass()
    {
        PoolLedger ledger = NewLedger(10);
        PooledAdapter busy = Arrived(ledger, "busy", 3, "t");
        ledger.TryHold(busy);
        PooledAdapter second = Add(ledger, "second", "t"), other = Add(ledger, "other");

        Assert.That(ledger.Reserve(second, 3), Is.False);
        Assert.That(ledger.Reserve(other, 3), Is.True);
        ledger.LetGo(busy);
        ledger.Settle();

        Assert.That(ledger.Dropped, Is.EqualTo([busy]), "a tenant's own adapter makes way for it");
        Assert.That(ledger.Granted, Is.EqualTo([second]));
    }

    [Test]
    public void TheLeastRecentlyUsedMakesWay()
    {
        PoolLedger ledger = NewLedger(3);
        PooledAdapter[] adapters = [.. "abc".Select(name => Arrived(ledger, $"{name}", 1))];
        ledger.TryHold(adapters[0]);
        ledger.LetGo(adapters[0]);

        Assert.That(ledger.Reserve(Add(ledger, "d"), 2), Is.True);

        Assert.That(ledger.Dropped, Is.EqualTo([adapters[1], adapters[2]]));
        Assert.That(ledger.Evictions, Is.EqualTo(2));
    }

    [Test]
    public void APolicyChoosesAmongThoseThatCanMakeWay()
    {
        var policy = new LargestFirst();
        PoolLedger ledger = NewLedger(7, policy);
        PooledAdapter small = Arrived(ledger, "small", 1), large = Arrived(ledger, "large", 4);
        PooledAdapter held = Arrived(ledger, "held", 2);
        ledger.TryHold(held);

        Assert.That(ledger.Reserve(Add(ledger, "d"), 1), Is.True);

        Assert.That(policy.Seen, Is.EqualTo([small, large]));
        Assert.That(ledger.Dropped, Is.EqualTo([large]));
    }

    [Test]
    public void APolicyThatThrowsOrNamesAStrangerIsPassedOver()
    {
        foreach (Func<EvictionCandidates, PooledAdapter?> bad in (Func<EvictionCandidates, PooledAdapter?>[])
            [_ => throw new InjectedException(), _ => null, _ => Arrived(NewLedger(1), "stranger", 1)])
        {
            PoolLedger ledger = NewLedger(2, new Choosing(bad));
            PooledAdapter first = Arrived(ledger, "first", 1);
            Arrived(ledger, "second", 1);

            Assert.That(ledger.Reserve(Add(ledger, "third"), 1), Is.True);

            Assert.That(ledger.Dropped, Is.EqualTo([first]));
        }
    }

    [Test]
    public void ALaterVersionKeepsItsName()
    {
        PoolLedger ledger = NewLedger(10);
        PooledAdapter first = ledger.Add("x", null, NoSource), second = ledger.Add("x", null, NoSource);

        Assert.That(ledger.Publish(second), Is.True);
        Assert.That(ledger.Publish(first), Is.False);

        Assert.That(ledger.Find("x"), Is.SameAs(second));
        Assert.That(second.Id, Is.GreaterThan(first.Id));
    }

    private static FakeSource NoSource => new(TestAdapters.Make("none"));

    private static PoolLedger NewLedger(long budget, IEvictionPolicy? policy = null) => new(
        new object(), new PoolQuota(budget), _ => new PoolQuota(3, 1), policy ?? LeastRecentlyUsed.Instance);

    private static PooledAdapter Add(PoolLedger ledger, string name, string? tenant = null)
    {
        PooledAdapter adapter = ledger.Add(name, tenant, NoSource);
        ledger.Publish(adapter);
        return adapter;
    }

    private static PooledAdapter Arrived(PoolLedger ledger, string name, long bytes, string? tenant = null)
    {
        PooledAdapter adapter = Add(ledger, name, tenant);
        Assert.That(ledger.Reserve(adapter, bytes), Is.True);
        ledger.Arrive(adapter);
        ledger.LetGo(adapter);
        return adapter;
    }

    /// <summary>A ledger of the three adapters, and what a test can know of them without it.</summary>
    private sealed class Books
    {
        private const int Most = 2;

        private readonly PoolLedger _ledger = NewLedger(Budget);
        private readonly PooledAdapter?[] _adapters = new PooledAdapter?[LedgerTests._adapters.Length];
        private readonly List<PooledAdapter> _retired = [];

        public string Key => string.Join(
            ';', _adapters.Select(Describe).Concat(_retired.Where(a => a.Residency != Residency.Absent).Select(Describe))
                .Append($"idle {string.Join(',', Idle.Select(a => a.Name))}")
                .Append($"waiting {string.Join(',', _ledger.Waiting.Select(a => a.Name))}"));

        private IEnumerable<PooledAdapter> Idle
        {
            get
            {
                for (PooledAdapter? a = _ledger.Idle.First; a is not null; a = a.IdleAfter)
                    yield return a;
            }
        }

        /// <summary>Does what is allowed now.</summary>
        public bool Do(int index, string operation)
        {
            (string name, string? tenant, long bytes) = LedgerTests._adapters[index];
            PooledAdapter? adapter = _adapters[index];
            if (operation == "add")
            {
                // At most one retired version of each is still about.
                if (_retired.Any(old => old.Name == name && old.Residency != Residency.Absent))
                    return false;
                if (adapter is not null)
                    _retired.Add(adapter);
                _adapters[index] = Add(_ledger, name, tenant);
            }
            else if (adapter is null)
            {
                return false;
            }
            else
            {
                switch (operation, adapter.Residency)
                {
                    case ("reserve", Residency.Absent) when !adapter.IsRetired:
                        _ledger.Reserve(adapter, bytes);
                        break;
                    case ("arrive", Residency.Reserved):
                        _ledger.Arrive(adapter);
                        _ledger.LetGo(adapter);
                        break;
                    case ("give up", Residency.Waiting or Residency.Reserved):
                        _ledger.GiveUpRoom(adapter);
                        break;
                    case ("hold", Residency.Resident) when adapter.Leases < Most:
                        _ledger.TryHold(adapter);
                        break;
                    case ("let go", Residency.Resident) when adapter.Leases > 0:
                        _ledger.LetGo(adapter);
                        break;
                    case ("pin", _) when adapter.Pins == 0 && !adapter.IsRetired:
                        _ledger.Pin(adapter);
                        break;
                    case ("unpin", _) when adapter.Pins > 0:
                        _ledger.Unpin(adapter);
                        break;
                    case ("retire", _) when !adapter.IsRetired:
                        _ledger.Retire(adapter);
                        break;
                    default:
                        return false;
                }
            }
            _ledger.Settle();
            _ledger.Dropped.Clear();
            _ledger.Granted.Clear();
            return true;
        }

        public void Check(Func<string> path)
        {
            PooledAdapter[] all = [.. _adapters.OfType<PooledAdapter>().Concat(_retired)];
            foreach ((Account account, PooledAdapter[] its) in all.GroupBy(a => a.Account)
                .Select(group => (group.Key, group.ToArray())).Append((_ledger.Device, all)))
            {
                PooledAdapter[] used = [.. its.Where(a => a.Residency is Residency.Reserved or Residency.Resident)];
                PooledAdapter[] held = [.. used.Where(IsHeld)];
                Require(account.Used == used.Sum(a => a.RoomBytes) && account.UsedCount == used.Length, "used");
                Require(account.Held == held.Sum(a => a.RoomBytes) && account.HeldCount == held.Length, "held");
                Require(account.Used <= account.Quota.Bytes && account.UsedCount <= account.Quota.Adapters, "quota");
            }
            Require(_ledger.Resident == all.Count(a => a.Residency == Residency.Resident), "resident");
            Require(Idle.ToHashSet().SetEquals(all.Where(a => a.Residency == Residency.Resident && !IsHeld(a))), "idle");
            Require(_ledger.Waiting.ToHashSet().SetEquals(all.Where(a => a.Residency == Residency.Waiting)), "waiting");
            Require(!all.Any(a => a.IsRetired && a.Residency == Residency.Resident && a.Leases == 0), "retired and kept");
            Require(!_ledger.Waiting.Any(a => a.IsRetired), "retired and waiting");
            foreach ((string name, _, _) in LedgerTests._adapters)
                Require(_ledger.Find(name) == all.SingleOrDefault(a => a.Name == name && !a.IsRetired), "name");
            if (_ledger.Waiting.FirstOrDefault(a => a.Account.CanHold(a.RoomBytes)) is { } first)
                Require(!_ledger.Device.CanHold(first.RoomBytes), "waits beside room");

            void Require(bool holds, string what)
            {
                if (!holds)
                    Assert.Fail($"{what}: {path()}");
            }
        }

        private static bool IsHeld(PooledAdapter adapter) =>
            adapter.Residency == Residency.Reserved || adapter.Leases > 0 || adapter.Pins > 0;

        private static string Describe(PooledAdapter? adapter) => adapter is null
            ? "-"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{adapter.Name} {adapter.Residency} {adapter.Leases} {adapter.Pins} {adapter.IsRetired}");
    }

    private sealed class Choosing(Func<EvictionCandidates, PooledAdapter?> choose) : IEvictionPolicy
    {
        public PooledAdapter Choose(EvictionCandidates candidates) => choose(candidates)!;
    }

    private sealed class LargestFirst : IEvictionPolicy
    {
        public List<PooledAdapter> Seen { get; } = [];

        public PooledAdapter Choose(EvictionCandidates candidates)
        {
            foreach (PooledAdapter candidate in candidates)
                Seen.Add(candidate);
            return Seen.MaxBy(candidate => candidate.RoomBytes)!;
        }
    }
}
