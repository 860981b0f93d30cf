using Session.Orleans.Contracts.Communities;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>Messages, reactions and pins (communities.md, 7).</summary>
internal sealed partial class RoomGrain
{
    private const int ReadAhead = 256;
    private const int PurgeBatch = 200;

    private static readonly double AttachedLifetime = TimeSpan.FromDays(15).TotalSeconds;

    public async Task<CommunityReply> GetMessagesAsync(CommunityCaller caller, MessageQuery query)
    {
        var room = await GetRoomAsync();
        if (room.Record is null)
            return CommunityReply.NotFound;
        var rights = room.RightsOf(caller);
        if (!rights.Read)
            return CommunityReply.ReadRequired;
        Touch(caller);
        if (query.Range is MessageRange.Since && query.Cursor >= room.Sequence)
            return CommunityReply.EmptyList; // most polls end here
        var posts = query.Range is MessageRange.Since
            ? await UpdatesAsync(room, query, caller, rights)
            : await LiveAsync(room, query.Range is MessageRange.Recent ? long.MaxValue : query.Cursor, query.Limit, caller, rights);
        return posts.Count == 0 ? CommunityReply.EmptyList : RoomJson.Messages(posts, caller, query);
    }

    public async Task<CommunityReply> GetMessageAsync(CommunityCaller caller, long id, int reactors)
    {
        var room = await GetRoomAsync();
        if (room.Record is null)
            return CommunityReply.NotFound;
        var rights = room.RightsOf(caller);
        if (!rights.Read)
            return CommunityReply.ReadRequired;
        Touch(caller);
        return await FindPostAsync(room, id) is { IsDeleted: false } post && rights.Sees(post, caller)
            ? RoomJson.Message(post, caller, reactors) : CommunityReply.NotFound;
    }

    public Task<CommunityReply> PostAsync(CommunityCaller caller, PostDraft draft) => ChangeAsync(async room =>
    {
        var rights = room.RightsOf(caller);
        if (caller.Id is not { } author)
            return CommunityReply.UserRequired;
        if (!rights.Write)
            return CommunityReply.Denied;
        if ((draft.WhisperTo is not null || draft.WhisperMods) && !rights.Moderator)
            return CommunityReply.Denied;
        if (!IsSigned(author, draft))
            return CommunityReply.Text(400, "The message's signature is not its author's");
        var now = Now;
        if (!rights.Admin && !MayPost(room, author, now))
            return CommunityReply.RateLimited;
        var changes = new CommunityChanges();
        var id = await store.NextAsync("post");
        var (attached, fileSteps) = await AttachAsync(changes, draft.Files, author, id, now);
        var sequence = room.Sequence + 1;
        var post = new Post
        {
            Id = id,
            Author = author,
            Posted = now,
            Created = sequence,
            Changed = sequence,
            Data = draft.Data,
            Signature = draft.Signature,
            WhisperTo = draft.WhisperTo,
            WhisperMods = draft.WhisperMods,
            Files = attached,
        };
        SetPost(changes, post);
        var name = RoomMemory.Name(id);
        SetSequence(changes, sequence).Enter(LiveIndex, name, id).Enter(AuthorIndex(author), name, id);
        return new RoomStep(changes, memory =>
        {
            memory.Sequence = sequence;
            memory.Put(post, null);
            RatesOf(memory, author, now).Enqueue(now);
            return RoomJson.Message(post, caller, 0, status: 201);
        }, fileSteps);
    });

    public Task<CommunityReply> EditAsync(CommunityCaller caller, long id, PostDraft draft) => ChangeAsync(async room =>
    {
        var rights = room.RightsOf(caller);
        if (caller.Id is not { } author)
            return CommunityReply.UserRequired;
        if (!rights.Write)
            return CommunityReply.Denied;
        if (await FindPostAsync(room, id) is not { IsDeleted: false } before)
            return CommunityReply.NotFound;
        if (before.Author != author)
            return CommunityReply.Denied;
        if (!IsSigned(author, draft))
            return CommunityReply.Text(400, "The message's signature is not its author's");
        var now = Now;
        var changes = new CommunityChanges();
        var (attached, fileSteps) = await AttachAsync(changes, draft.Files, author, id, now, permanent: room.Pins.ContainsKey(id));
        var sequence = room.Sequence + 1;
        var post = before with { Data = draft.Data, Signature = draft.Signature, Edited = now, Changed = sequence, Files = [.. before.Files, .. attached] };
        SetPost(changes, post);
        SetSequence(changes, sequence);
        return new RoomStep(changes, memory =>
        {
            memory.Sequence = sequence;
            memory.Put(post, before);
            return CommunityReply.Done;
        }, fileSteps);
    });

    public Task<CommunityReply> DeleteAsync(CommunityCaller caller, long id) => ChangeAsync(async room =>
    {
        var rights = room.RightsOf(caller);
        if (caller.Id is null)
            return CommunityReply.UserRequired;
        if (!rights.Write)
            return CommunityReply.Denied;
        if (await FindPostAsync(room, id) is not { IsDeleted: false } before || !rights.Sees(before, caller))
            return CommunityReply.NotFound;
        return before.Author == caller.Id || rights.Moderator ? await DeletePostsAsync(room, [before]) : CommunityReply.Denied;
    });

    public async Task<RoomPurge> DeleteAllAsync(CommunityCaller caller, string user, bool isGlobalAdmin)
    {
        var deleted = 0;
        while (true)
        {
            var (left, batch) = (false, 0);
            var reply = await ChangeAsync(async room =>
            {
                var rights = room.RightsOf(caller);
                if (caller.Id is null)
                    return CommunityReply.UserRequired;
                var ofAdmin = isGlobalAdmin || (room.Members.TryGetValue(user, out var member) && member.Admin);
                if (user != caller.Id && (!rights.Moderator || (ofAdmin && !rights.Admin)))
                    return CommunityReply.Denied;
                var entries = await store.RangeAsync(_scope, AuthorIndex(user), long.MinValue, long.MaxValue, descending: false, PurgeBatch);
                var posts = (await PostsAsync([.. entries.Select(entry => entry.Name)])).Where(post => !post.IsDeleted).ToArray();
                left = entries.Count == PurgeBatch && posts.Length > 0;
                batch = posts.Length;
                return posts.Length == 0 ? CommunityReply.Done : await DeletePostsAsync(room, posts);
            });
            if (!reply.IsSuccess)
                return new(0, reply);
            deleted += batch;
            if (!left)
                break;
        }

        _ = await ChangeAsync(room => ExpireUploadsAsync(room, user));
        return new(deleted, deleted > 0 ? null : CommunityReply.NotFound);
    }

    public Task<CommunityReply> ReactAsync(CommunityCaller caller, long id, string emoji, bool add) => ChangeAsync(async room =>
    {
        var (post, refusal) = await ReactionTargetAsync(room, caller, id, emoji);
        if (post is null)
            return refusal!;
        if (post.Reactions.Has(caller.Id!, emoji) == add)
            return add ? RoomJson.Added(false, post.Sequence) : RoomJson.Removed(false, post.Sequence);
        var changes = new CommunityChanges();
        var sequence = room.Sequence + 1;
        var changed = post with
        {
            Reacted = sequence,
            Reactions = add ? post.Reactions.Add(emoji, new(caller.Id!, sequence, Now), changes, id) : post.Reactions.Remove(emoji, caller.Id!, changes, id),
        };
        SetPost(changes, changed);
        SetSequence(changes, sequence);
        return new RoomStep(changes, memory =>
        {
            memory.Sequence = sequence;
            memory.Put(changed, post);
            return add ? RoomJson.Added(true, sequence) : RoomJson.Removed(true, sequence);
        });
    });

    public Task<CommunityReply> ClearReactionsAsync(CommunityCaller caller, long id, string? emoji) => ChangeAsync(async room =>
    {
        if (!room.RightsOf(caller).Moderator)
            return CommunityReply.ModeratorRequired;
        if (await FindPostAsync(room, id) is not { IsDeleted: false, IsWhisper: false } post)
            return CommunityReply.NotFound;
        var cleared = post.Reactions.All.Where(reactions => emoji is null || reactions.Emoji == emoji).ToArray();
        var count = cleared.Sum(reactions => reactions.Reactors.Length);
        if (count == 0)
            return RoomJson.Removed(0, post.Sequence);
        var changes = new CommunityChanges();
        var sequence = room.Sequence + count;
        var changed = post with
        {
            Reacted = sequence,
            Reactions = cleared.Aggregate(post.Reactions, (left, reactions) => left.Clear(reactions.Emoji, changes, id)),
        };
        SetPost(changes, changed);
        SetSequence(changes, sequence);
        return new RoomStep(changes, memory =>
        {
            memory.Sequence = sequence;
            memory.Put(changed, post);
            return RoomJson.Removed(count, sequence);
        });
    });

    public async Task<CommunityReply> GetReactorsAsync(CommunityCaller caller, long id, string emoji, int limit)
    {
        var room = await GetRoomAsync();
        if (room.Record is null)
            return CommunityReply.NotFound;
        if (!room.RightsOf(caller).Read)
            return CommunityReply.ReadRequired;
        return await FindPostAsync(room, id) is { IsDeleted: false, IsWhisper: false } post
            ? RoomJson.Reactors(post.Reactions.With(emoji)?.Reactors.Take(limit) ?? []) : CommunityReply.NotFound;
    }

    public Task<CommunityReply> PinAsync(CommunityCaller caller, long id) => ChangeAsync(async room =>
    {
        if (!room.RightsOf(caller).Admin || caller.Id is not { } by)
            return CommunityReply.AdminRequired;
        if (await FindPostAsync(room, id) is not { IsDeleted: false, IsWhisper: false } post)
            return CommunityReply.NotFound;
        var pin = new PinRecord(Now, by);
        var record = room.Record! with { InfoUpdates = room.Record.InfoUpdates + 1 };
        var changes = SetInfo(new(), record).Set(PinTable, RoomMemory.Name(id), Records.Pack(pin, CommunityJson.Default.PinRecord));
        var fileSteps = await SetExpiriesAsync(changes, post.Files, _ => null);
        return new RoomStep(changes, memory =>
        {
            memory.Pins[id] = pin;
            memory.Record = record;
            return RoomJson.InfoUpdates(record.InfoUpdates);
        }, fileSteps);
    });

    public Task<CommunityReply> UnpinAsync(CommunityCaller caller, long? id) => ChangeAsync(async room =>
    {
        if (!room.RightsOf(caller).Admin)
            return CommunityReply.AdminRequired;
        long[] unpinned = [.. room.Pins.Keys.Where(pinned => id is null || pinned == id)];
        if (id is not null && unpinned.Length == 0 && await FindPostAsync(room, id.Value) is not { IsDeleted: false })
            return CommunityReply.NotFound;
        if (unpinned.Length == 0)
            return RoomJson.Unpinned(id is null ? 0 : null, room.Record!.InfoUpdates);
        var record = room.Record! with { InfoUpdates = room.Record.InfoUpdates + unpinned.Length };
        var changes = SetInfo(new(), record);
        List<FileStep> fileSteps = [];
        foreach (var pinned in unpinned)
        {
            changes.Remove(PinTable, RoomMemory.Name(pinned));
            if (await FindPostAsync(room, pinned) is { } post)
                fileSteps.AddRange(await SetExpiriesAsync(changes, post.Files, file => file.Uploaded + AttachedLifetime));
        }

        return new RoomStep(changes, memory =>
        {
            foreach (var pinned in unpinned)
                memory.Pins.Remove(pinned);
            memory.Record = record;
            return RoomJson.Unpinned(id is null ? unpinned.Length : null, record.InfoUpdates, done: true);
        }, fileSteps);
    });

    private static string AuthorIndex(string author) => "by:" + author;

    private static void SetPost(CommunityChanges changes, Post post) => changes
        .Set(PostTable, RoomMemory.Name(post.Id), post.Pack()).Enter(UpdateIndex, RoomMemory.Name(post.Id), post.Sequence);

    /// <summary>1..12 code points (communities.md, 7.5).</summary>
    private static bool IsReaction(string emoji) => emoji.EnumerateRunes().Take(13).Count() is >= 1 and <= 12;

    private bool IsSigned(string author, PostDraft draft) =>
        !options.Value.VerifyPosts || PostSignature.Verify(AccountId.Parse(author), draft.Data.Span, draft.Signature.Span);

    private bool MayPost(RoomMemory room, string author, double now) => RatesOf(room, author, now).Count < options.Value.RatePosts;

    /// <summary>When the author posted lately. Who has an activation behind him that died is known by his posts.</summary>
    private Queue<double> RatesOf(RoomMemory room, string author, double now)
    {
        var from = now - options.Value.RatePeriod.TotalSeconds;
        if (!_rates.TryGetValue(author, out var rates))
        {
            if (_rates.Count >= 1000)
            {
                foreach (var (idle, _) in _rates.Where(entry => entry.Value.Count == 0 || entry.Value.Last() < from).ToArray())
                    _rates.Remove(idle);
            }

            _rates[author] = rates = new(room.UpdatesAfter(0).Where(post => post.Author == author && post.Posted >= from).Select(post => post.Posted).Order());
        }

        while (rates.TryPeek(out var oldest) && oldest < from)
            rates.Dequeue();
        return rates;
    }

    private async ValueTask<(Post? Post, CommunityReply? Refusal)> ReactionTargetAsync(RoomMemory room, CommunityCaller caller, long id, string emoji)
    {
        if (caller.Id is null)
            return (null, CommunityReply.UserRequired);
        if (!room.RightsOf(caller).Read)
            return (null, CommunityReply.ReadRequired);
        if (!IsReaction(emoji))
            return (null, CommunityReply.Text(400, "A reaction has 1 to 12 characters"));
        return await FindPostAsync(room, id) is { IsDeleted: false, IsWhisper: false } post ? (post, null) : (null, CommunityReply.NotFound);
    }

    /// <summary>Makes tombstones. Each deletion takes one sequence number, and one more for each reaction that goes with it.</summary>
    private async ValueTask<RoomStep> DeletePostsAsync(RoomMemory room, IReadOnlyList<Post> posts)
    {
        var (now, sequence, record) = (Now, room.Sequence, room.Record!);
        var changes = new CommunityChanges();
        List<(Post Before, Post After)> deleted = [];
        List<FileStep> fileSteps = [];
        foreach (var post in posts)
        {
            var name = RoomMemory.Name(post.Id);
            var changed = ++sequence;
            sequence += post.Reactions.Count;
            var tombstone = post with
            {
                IsDeleted = true,
                Edited = now,
                Changed = changed,
                Reacted = post.Reactions.Count > 0 ? sequence : post.Reacted,
                Reactions = Reactions.None,
                Data = default,
                Signature = default,
                Files = [],
            };
            SetPost(changes, tombstone);
            changes.Leave(LiveIndex, name).Leave(AuthorIndex(post.Author), name).DropTable(Reactions.Table(post.Id));
            if (room.Pins.ContainsKey(post.Id))
            {
                changes.Remove(PinTable, name);
                record = record with { InfoUpdates = record.InfoUpdates + 1 };
            }

            fileSteps.AddRange(await SetExpiriesAsync(changes, post.Files, _ => now));
            deleted.Add((post, tombstone));
        }

        SetSequence(changes, sequence);
        if (!ReferenceEquals(record, room.Record))
            SetInfo(changes, record);
        return new(changes, memory =>
        {
            memory.Sequence = sequence;
            memory.Record = record;
            foreach (var (before, after) in deleted)
            {
                memory.Pins.Remove(after.Id);
                memory.Put(after, before);
            }

            return CommunityReply.Done;
        }, fileSteps);
    }

    private async ValueTask<Post?> FindPostAsync(RoomMemory room, long id) =>
        room.Find(id) ?? (await PostsAsync([RoomMemory.Name(id)])).SingleOrDefault();

    /// <summary>Messages from the store, in the order asked for, without those that are not there.</summary>
    private async ValueTask<IReadOnlyList<Post>> PostsAsync(IReadOnlyList<string> names)
    {
        if (names.Count == 0)
            return [];
        var posts = (await store.GetAsync(_scope, PostTable, names)).OfType<ReadOnlyMemory<byte>>().Select(Post.Unpack).ToArray();
        int[] reacted = [.. Enumerable.Range(0, posts.Length).Where(i => posts[i].Reacted > 0 && !posts[i].IsDeleted)];
        if (reacted.Length > 0)
        {
            var tables = await store.GetAllAsync(_scope, [.. reacted.Select(i => Reactions.Table(posts[i].Id))]);
            for (var i = 0; i < reacted.Length; i++)
                posts[reacted[i]] = posts[reacted[i]] with { Reactions = Reactions.Unpack(tables[i]) };
        }

        return posts;
    }

    private async IAsyncEnumerable<Post> AllPostsAsync()
    {
        for (var after = 0L; ;)
        {
            var entries = await store.RangeAsync(_scope, UpdateIndex, after, long.MaxValue, descending: false, ReadAhead);
            if (entries.Count == 0)
                yield break;
            foreach (var post in await PostsAsync([.. entries.Select(entry => entry.Name)]))
                yield return post;
            after = entries[^1].Number;
        }
    }

    private async ValueTask<List<Post>> LiveAsync(RoomMemory room, long before, int limit, CommunityCaller caller, Rights rights)
    {
        List<Post> page = [];
        var known = room.LiveBefore(before, out var floor);
        foreach (var post in known)
        {
            if (page.Count == limit)
                return page;
            if (rights.Sees(post, caller))
                page.Add(post);
        }

        var cursor = Math.Min(before, floor + 1);
        while (floor > 0 && page.Count < limit)
        {
            var entries = await store.RangeAsync(_scope, LiveIndex, long.MinValue, cursor, descending: true, limit - page.Count);
            if (entries.Count == 0)
                break;
            foreach (var post in await PostsAsync([.. entries.Select(entry => entry.Name)]))
            {
                if (!post.IsDeleted && rights.Sees(post, caller))
                    page.Add(post);
            }

            cursor = entries[^1].Number;
        }

        return page;
    }

    private async ValueTask<List<Post>> UpdatesAsync(RoomMemory room, MessageQuery query, CommunityCaller caller, Rights rights)
    {
        List<Post> page = [];
        bool Wanted(Post post) =>
            !(post.IsDeleted && post.Created > query.Cursor) && (query.ReactionUpdates || post.Changed > query.Cursor) && rights.Sees(post, caller);

        var cursor = query.Cursor;
        while (!room.KnowsUpdatesAfter(cursor) && page.Count < query.Limit)
        {
            var entries = await store.RangeAsync(_scope, UpdateIndex, cursor, long.MaxValue, descending: false, query.Limit - page.Count);
            if (entries.Count == 0)
                return page;
            var numbers = entries.ToDictionary(entry => Id(entry.Name), entry => entry.Number);
            // One that was changed after the index was read comes again, further on. It must not come now: the reader would take its new
            // number for the end of what he has seen.
            page.AddRange((await PostsAsync([.. entries.Select(entry => entry.Name)])).Where(post => post.Sequence == numbers[post.Id] && Wanted(post)));
            cursor = entries[^1].Number;
        }

        if (page.Count < query.Limit && room.KnowsUpdatesAfter(cursor))
            page.AddRange(room.UpdatesAfter(cursor).Where(Wanted).Take(query.Limit - page.Count));
        return page;
    }
}
