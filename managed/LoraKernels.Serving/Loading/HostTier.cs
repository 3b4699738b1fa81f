using System.Diagnostics.CodeAnalysis;

namespace LoraKernels.Serving;

/// <summary>
/// Adapters kept in host memory after they were read, up to a budget: the least recently used ones go. Callers see to
/// it that there is one at a time.
/// </summary>
internal sealed class HostTier(long budget)
{
    private readonly LinkedList<(PooledAdapter Version, LoraAdapter Adapter)> _recent = new();
    private readonly Dictionary<PooledAdapter, LinkedListNode<(PooledAdapter Version, LoraAdapter Adapter)>> _nodes = [];

    /// <summary>Host memory of what is kept; never more than the budget.</summary>
    public long Bytes { get; private set; }

    public int Count => _nodes.Count;

    public bool TryGet(PooledAdapter version, [NotNullWhen(true)] out LoraAdapter? adapter)
    {
        adapter = null;
        if (!_nodes.TryGetValue(version, out LinkedListNode<(PooledAdapter, LoraAdapter Adapter)>? node))
            return false;
        _recent.Remove(node);
        _recent.AddLast(node);
        adapter = node.Value.Adapter;
        return true;
    }

    /// <summary>Keeps an adapter, unless it is larger than the budget.</summary>
    public void Put(PooledAdapter version, LoraAdapter adapter)
    {
        Remove(version);
        if (adapter.Bytes > budget)
            return;
        while (Bytes > budget - adapter.Bytes)
            Remove(_recent.First!.Value.Version);
        _nodes.Add(version, _recent.AddLast((version, adapter)));
        Bytes += adapter.Bytes;
    }

    public void Remove(PooledAdapter version)
    {
        if (!_nodes.Remove(version, out LinkedListNode<(PooledAdapter, LoraAdapter Adapter)>? node))
            return;
        _recent.Remove(node);
        Bytes -= node.Value.Adapter.Bytes;
    }
}
